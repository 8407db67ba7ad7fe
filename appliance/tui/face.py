# SPDX-License-Identifier: Apache-2.0
"""The one widget: lines of toned text, of which only those that changed are painted again."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from appliance.tui.look import Colours, Look, Tone
from appliance.tui.text import EMPTY, Line, columns_of

#: Without colours bold and reverse are all there is, and words say the rest.
_MONOCHROME = {
    Tone.STRONG: "bold",
    Tone.BAR: "reverse",
    Tone.LIGHT: "reverse",
    Tone.CHOSEN: "reverse",
    Tone.WARN: "bold",
    Tone.BAD: "bold reverse",
}
_SIXTEEN = _MONOCHROME | {
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
    Tone.DIM: "cyan",
    Tone.LIGHT: "black on white",
}
_FULL = _SIXTEEN | {
    Tone.BAR: "bold #ffffff on #1f4e5f",
    Tone.GOOD: "#3fa66b",
    Tone.WARN: "#d08a1c",
    Tone.BAD: "bold #d64545",
    Tone.DIM: "#7a8b94",
    Tone.LIGHT: "#000000 on #ffffff",
    Tone.CHOSEN: "#ffffff on #2f6f87",
}
_PALETTES = {
    Colours.NONE: _MONOCHROME,
    Colours.SIXTEEN: _SIXTEEN,
    Colours.MANY: _FULL,
    Colours.FULL: _FULL,
}

Painter = Callable[[int, int], Sequence[Line]]


class Face(Widget):
    """Shows what `lines` makes for a width and a height."""

    DEFAULT_CSS: ClassVar[str] = "Face { width: 100%; height: 100%; }"
    can_focus = True

    def __init__(self, look: Look, lines: Painter) -> None:
        super().__init__()
        self._palette = {tone: Style.parse(text) for tone, text in _PALETTES[look.colours].items()}
        self._make = lines
        self._shown: Sequence[Line] = ()
        self._at = Size(0, 0)

    def update(self) -> None:
        """Look again, and paint the lines that differ."""
        fresh = self._fresh()
        changed = [
            Region(0, y, self.size.width, 1)
            for y, line in enumerate(fresh)
            if y >= len(self._shown) or self._shown[y] != line
        ]
        self._shown, self._at = fresh, self.size
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        if self._at != self.size:
            self._shown, self._at = self._fresh(), self.size
        line = self._shown[y] if y < len(self._shown) else EMPTY
        segments = [Segment(span.text, self._palette.get(span.tone)) for span in line]
        blank = self.size.width - sum(columns_of(span.text) for span in line)
        if blank > 0:
            segments.append(Segment(" " * blank))
        return Strip(segments, self.size.width)

    def _fresh(self) -> Sequence[Line]:
        return self._make(self.size.width, self.size.height) if self.size.area else ()
