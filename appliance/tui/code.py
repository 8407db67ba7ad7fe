# SPDX-License-Identifier: Apache-2.0
"""A QR code (ISO/IEC 18004) of what support has to know, as lines of text. Pure.

With Unicode half blocks a module is one column by half a row, so that 24 rows hold a code of some 80 letters.
In ASCII it is two columns by a row, light ones reversed blanks: there 24 rows hold 25 letters.
"""

from collections.abc import Iterator, Sequence

from appliance.status.model import Snapshot
from appliance.tui.look import Look, Tone
from appliance.tui.text import Line, Span

#: The light modules around a code: four by the standard, of which cameras need one or two.
_QUIET = 2
_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}

Modules = Sequence[Sequence[int]]


def payloads(snapshot: Snapshot, codes: Sequence[str]) -> Iterator[str]:
    """What the code could say, the most telling first; in the letters that a code holds most of."""
    identity = snapshot.identity
    instance = identity.instance if identity else "NOT ENROLLED"
    name = f"{identity.name}.{identity.cluster}" if identity else ""
    generation = f"G{snapshot.generation}" if snapshot.generation else ""
    start = ["ORILLO", name, instance, generation]
    for count in range(len(codes), -1, -1):
        left = len(codes) - count
        said = [*codes[:count], *([f"+{left}"] if left else [])]
        yield _joined([*start, *said])
    first = codes[0] if codes else "OK"
    yield from map(_joined, ([name, instance, first], [instance, first], [instance]))


def _joined(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word).upper()


def code(
    snapshot: Snapshot, codes: Sequence[str], width: int, height: int, look: Look
) -> tuple[str, list[Line]]:
    """The code that says most of what fits, and what it says; no line if none fits."""
    # Imported when used: it brings a web client along, which the first paint would wait for.
    import segno

    for text in payloads(snapshot, codes):
        modules = segno.make(text, error="l", micro=False).matrix
        for quiet in (_QUIET, 1):
            drawn = _ascii(modules, quiet) if look.ascii else _unicode(modules, quiet)
            if len(drawn) <= height and len(modules) + 2 * quiet <= width // (2 if look.ascii else 1):
                return text, drawn
    return "", []


def _framed(modules: Modules, quiet: int) -> list[list[bool]]:
    """True where it is light."""
    size = len(modules) + 2 * quiet
    edge = [[True] * size for _ in range(quiet)]
    sides = [True] * quiet
    return [*edge, *([*sides, *(not module for module in row), *sides] for row in modules), *edge]


def _ascii(modules: Modules, quiet: int) -> list[Line]:
    return [tuple(_runs(row)) for row in _framed(modules, quiet)]


def _runs(row: Sequence[bool]) -> Iterator[Span]:
    start = 0
    for index in range(1, len(row) + 1):
        if index == len(row) or row[index] != row[start]:
            blanks = "  " * (index - start)
            yield Span(blanks, Tone.LIGHT if row[start] else Tone.PLAIN)
            start = index


def _unicode(modules: Modules, quiet: int) -> list[Line]:
    rows = _framed(modules, quiet)
    if len(rows) % 2:
        rows.append([True] * len(rows))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    # Dark on light whatever the terminal's colours are: the tone says black on white.
    return [
        (Span("".join(_HALVES[not up, not down] for up, down in zip(one, two, strict=True)), Tone.LIGHT),)
        for one, two in pairs
    ]
