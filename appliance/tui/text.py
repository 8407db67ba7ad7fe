# SPDX-License-Identifier: Apache-2.0
"""Lines of toned text for a terminal: measuring, cutting, wrapping, columns. Pure.

What comes from outside is made harmless here: a control character in a reason must not reach the terminal.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.tui.look import Look, Tone


@dataclass(frozen=True)
class Span:
    """Text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]
EMPTY: Line = ()


def line(text: str, tone: Tone = Tone.PLAIN) -> Line:
    """One span as a line."""
    return (Span(text, tone),)


def plain(spans: Line) -> str:
    """The text of a line without its tones."""
    return "".join(span.text for span in spans)


def clean(text: str, look: Look) -> str:
    """The text as the terminal can show it: no control characters, and ASCII where that is all."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, look) for character in text)


def _shown(character: str, look: Look) -> str:
    if not character.isprintable():
        return " " if character.isspace() else "?"
    return "?" if look.ascii and not character.isascii() else character


def columns_of(text: str) -> int:
    """How many columns the text takes; Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int, look: Look) -> str:
    """The text, ended with a mark where it is wider than `width`."""
    if columns_of(text) <= width:
        return text
    mark = look.signs.cut
    return _head(text, width) if width <= len(mark) else _head(text, width - len(mark)) + mark


def _head(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[:index]
    return text


def fit(spans: Line, width: int, look: Look) -> Line:
    """The line made harmless and cut to the width, not filled."""
    made: list[Span] = []
    left = width
    for index, span in enumerate(spans):
        text = clean(span.text, look)
        if columns_of(text) > left or (columns_of(text) == left and _more(spans[index + 1 :])):
            text = cut(text + " " * len(look.signs.cut), left, look)
        if text:
            made.append(Span(text, span.tone))
        left -= columns_of(text)
        if left <= 0:
            break
    return tuple(made)


def _more(rest: Line) -> bool:
    return any(span.text.strip() for span in rest)


def pad(text: str, width: int) -> str:
    """The text filled with blanks on the right."""
    return text + " " * (width - columns_of(text))


def wrap(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most `width` columns, broken at blanks where there are any."""
    current = ""
    for word in text.split():
        joined = f"{current} {word}" if current else word
        if columns_of(joined) <= width:
            current = joined
            continue
        if current:
            yield current
        current = word
        while columns_of(current) > width > 0:
            head = _head(current, width) or current[:1]
            yield head
            current = current[len(head) :]
    if current:
        yield current


def table(head: Sequence[str], rows: Sequence[Sequence[Span]], width: int) -> tuple[Line, list[Line]]:
    """The heads and the rows in columns; the last column has what the others leave."""
    widths = [columns_of(title) for title in head]
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], columns_of(cell.text))
    _shrink(widths, width)
    titles = _row([Span(title, Tone.STRONG) for title in head], widths)
    return titles, [_row(row, widths) for row in rows]


def _shrink(widths: list[int], width: int) -> None:
    """Take from the first column, the name, what it has above 12 columns if the line would be too long."""
    over = sum(widths[:-1]) + 2 * (len(widths) - 1) + min(widths[-1], 8) - width
    if over > 0:
        widths[0] = max(12, widths[0] - over)


def _row(cells: Sequence[Span], widths: Sequence[int]) -> Line:
    made: list[Span] = []
    for cell, width in zip(cells[:-1], widths, strict=False):
        text = cell.text if columns_of(cell.text) <= width else _head(cell.text, width - 1) + "~"
        made.append(Span(text, cell.tone))
        made.append(Span(" " * (width + 2 - columns_of(text))))
    made.append(cells[-1])
    return tuple(made)


def spark(values: Sequence[float], look: Look) -> str:
    """The values as a row of rising signs, relative to the largest."""
    top = max(values, default=0.0)
    signs = look.signs.spark
    return "".join(signs[0 if top <= 0 else round(value / top * (len(signs) - 1))] for value in values)
