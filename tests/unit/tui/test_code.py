# SPDX-License-Identifier: Apache-2.0
"""The QR code: what is drawn is the code, whatever it is drawn with, and it fits."""

import msgspec
import pytest
import segno

from appliance.tui.code import code, payloads
from appliance.tui.look import ASCII, UNICODE, Look, Tone
from appliance.tui.text import Line, plain
from tests.unit.status.snapshots import healthy, unenrolled

SERIAL, WINDOW = Look(signs=ASCII), Look(signs=UNICODE)
CODES = ("link-disabled", "tunnels-all-down", "control-offline")
HALVES = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}


def modules(lines: list[Line], look: Look) -> list[list[int]]:
    """The drawing read back as a camera would: 1 where it is dark."""
    if look.ascii:
        return [[int(span.tone is not Tone.LIGHT) for span in row for _ in span.text[::2]] for row in lines]
    rows: list[list[int]] = []
    for row in lines:
        pairs = [HALVES[sign] for sign in plain(row)]
        rows += [[up for up, _ in pairs], [down for _, down in pairs]]
    return rows


@pytest.mark.parametrize(("look", "size"), [(SERIAL, (80, 24)), (WINDOW, (80, 24)), (WINDOW, (200, 60))])
@pytest.mark.parametrize("codes", [(), CODES[:1], CODES])
def test_what_is_drawn_is_the_code(look: Look, size: tuple[int, int], codes: tuple[str, ...]) -> None:
    text, lines = code(healthy(), codes, *size, look)
    assert len(lines) <= size[1]
    drawn = modules(lines, look)
    wanted = [list(row) for row in segno.make(text, error="l", micro=False).matrix]
    quiet = (len(drawn[0]) - len(wanted)) // 2
    assert quiet >= 1
    inner = [row[quiet : quiet + len(wanted)] for row in drawn[quiet : quiet + len(wanted)]]
    assert inner == wanted
    assert not any(map(any, (drawn[0], drawn[-1])))
    assert "0A1B2C3D" in text
    assert not codes or text.endswith(codes[0].upper()) or look is WINDOW


def test_a_window_has_room_for_all_codes() -> None:
    text, _ = code(healthy(), CODES, 80, 24, WINDOW)
    assert text == "ORILLO SHOP1.LAB 0A1B2C3D G12 LINK-DISABLED TUNNELS-ALL-DOWN CONTROL-OFFLINE"


def test_less_is_said_where_there_is_less_room() -> None:
    said = list(payloads(healthy(), CODES))
    assert said[1].endswith("LINK-DISABLED TUNNELS-ALL-DOWN +1")
    assert said[-1] == "0A1B2C3D"
    assert next(payloads(unenrolled(), ())) == "ORILLO NOT ENROLLED"
    long = msgspec.structs.replace(healthy())
    assert code(long, CODES, 20, 5, SERIAL) == ("", [])
