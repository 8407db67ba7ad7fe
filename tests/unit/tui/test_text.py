# SPDX-License-Identifier: Apache-2.0
"""Lines: harmless, cut, wrapped, in columns."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.tui.look import ASCII, UNICODE, Look
from appliance.tui.text import Span, clean, columns_of, cut, fit, plain, spark, table, wrap

SERIAL = Look(signs=ASCII)
WINDOW = Look(signs=UNICODE)


@given(st.text(), st.integers(0, 40), st.sampled_from([SERIAL, WINDOW]))
def test_a_line_never_gets_wider_and_never_controls_the_terminal(text: str, width: int, look: Look) -> None:
    made = plain(fit((Span(text), Span(text)), width, look))
    assert columns_of(made) <= width
    assert made.isprintable()
    assert made.isascii() or look is WINDOW


def test_an_escape_sequence_in_a_reason_is_only_text() -> None:
    assert clean("\x1b[2Jgone\n", SERIAL) == "?[2Jgone "


def test_cut_says_that_it_cut() -> None:
    assert cut("connector-1", 8, SERIAL) == "conne..."
    assert cut("connector-1", 8, WINDOW) == "connect…"
    assert cut("connector-1", 2, SERIAL) == "co"


def test_chinese_takes_two_columns() -> None:
    assert columns_of("没有网络") == 8
    assert plain(fit((Span("没有网络"),), 5, WINDOW)) == "没有…"
    assert clean("没有", SERIAL) == "??"


@given(st.text(alphabet="ab ", max_size=200), st.integers(1, 30))
def test_wrapping_keeps_every_word(text: str, width: int) -> None:
    parts = list(wrap(text, width))
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(part) <= width for part in parts)


def test_columns_stand_below_their_heads() -> None:
    head, rows = table(("NAME", "STATE"), [[Span("a"), Span("up")], [Span("longer"), Span("down")]], 80)
    assert plain(head) == "NAME    STATE"
    assert [plain(row) for row in rows] == ["a       up", "longer  down"]


def test_a_long_name_leaves_room_for_the_rest() -> None:
    _, (row,) = table(("NAME", "STATE", "REASON"), [[Span("n" * 90), Span("up"), Span("because")]], 40)
    assert "up" in plain(row)[:40]
    assert "because" in plain(row)


def test_sparks_rise() -> None:
    assert spark((0, 5, 10), SERIAL) == "_-#" or spark((0, 5, 10), SERIAL)[0] == "_"
    assert spark((), SERIAL) == ""
    assert spark((0, 0), WINDOW) == "▁▁"
