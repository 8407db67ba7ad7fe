# SPDX-License-Identifier: Apache-2.0
"""How things look on a terminal: tones, signs, and how often it may be painted. Pure."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Tone(Enum):
    """What a piece of text means; the painter turns it into colours, or into bold and reverse."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    BAR = "bar"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    CHOSEN = "chosen"


class Colours(StrEnum):
    """How many colours the terminal has."""

    NONE = "none"
    SIXTEEN = "16"
    MANY = "256"
    FULL = "full"


@dataclass(frozen=True)
class Signs:
    """The characters that differ between terminals; `spark` rises from nothing to most."""

    rule: str
    arrow: str
    branch: str
    last: str
    cut: str
    bullet: str
    spark: str


ASCII = Signs(rule="-", arrow="->", branch="|- ", last="`- ", cut="...", bullet="*", spark="_.:-=+*#")
UNICODE = Signs(rule="─", arrow="→", branch="├─ ", last="└─ ", cut="…", bullet="●", spark="▁▂▃▄▅▆▇█")


@dataclass(frozen=True)
class Look:
    """One terminal. `frames` is paints a second at most, `pause` the seconds between two looks at new data.

    `plain` is a terminal that knows the VT100's sequences only: no second screen, no paste marks.
    """

    colours: Colours = Colours.SIXTEEN
    signs: Signs = ASCII
    frames: int = 4
    pause: float = 2.0
    plain: bool = True

    @property
    def ascii(self) -> bool:
        """Nothing but ASCII may be shown."""
        return self.signs is ASCII
