# SPDX-License-Identifier: Apache-2.0
"""How things look on a terminal: tones, signs, and how often it may be painted. Pure."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from appliance.status.speech import Language
from appliance.tui.chinese import CHINESE


class Tone(Enum):
    """What a piece of text means; the painter turns it into colours, or into bold and reverse."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    BAR = "bar"
    LIGHT = "light"
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

    `language` is for what we say; reasons that others give stay as they are.
    `plain` is a terminal that knows the VT100's sequences only: no second screen, no paste marks.
    """

    colours: Colours = Colours.SIXTEEN
    signs: Signs = ASCII
    frames: int = 4
    pause: float = 2.0
    plain: bool = True
    language: Language = Language.ENGLISH

    def say(self, text: str, /, **about: object) -> str:
        """A text of ours in the language of this terminal, with what it is about filled in."""
        said = CHINESE.get(text, text) if self.language is Language.CHINESE else text
        return said.format(**about) if about else said

    @property
    def ascii(self) -> bool:
        """Nothing but ASCII may be shown."""
        return self.signs is ASCII
