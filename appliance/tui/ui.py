# SPDX-License-Identifier: Apache-2.0
"""Where the person at the terminal is: the screen, the row, the filter, what is being typed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appliance.status.offer import Offer
from appliance.tui.look import Tone
from appliance.tui.page import Name, Page, Row
from appliance.tui.text import plain

#: Screens that Esc leads back from.
ASIDE = (Name.HELP, Name.DETAIL, Name.LOGS, Name.CODE)


@dataclass(frozen=True)
class Prompt:
    """A line being typed: after `:` a command, after `/` a filter; `at` is where the next character goes."""

    sign: str
    text: str = ""
    at: int = 0


@dataclass(frozen=True)
class Notice:
    """What the last key or action came to; the text is filled in with what it is `about`."""

    text: str
    tone: Tone = Tone.PLAIN
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Ui:
    """The place in the screens. `root` says whether actions that change something are offered.

    `cursors` are by screen: the chosen row where rows can be opened, else the first line shown. `opened` is
    the key of the row that Enter opened, on the screen `back` leads to.
    """

    root: bool = False
    page: Name = Name.OVERVIEW
    back: tuple[Name, ...] = ()
    cursors: Mapping[Name, int] = field(default_factory=dict)
    search: str = ""
    problems: bool = False
    prompt: Prompt | None = None
    notice: Notice | None = None
    opened: str = ""
    target: str = ""
    offer: Offer | None = None

    @property
    def cursor(self) -> int:
        """The cursor of the present screen."""
        return self.cursors.get(self.page, 0)


def go(ui: Ui, page: Name) -> Ui:
    """Change to a screen; Esc leads back from those beside the others only, so that it never wanders."""
    if page is ui.page:
        return ui
    back = (*ui.back, ui.page) if page in ASIDE else ()
    return replace(ui, page=page, back=back, search="", prompt=None, notice=None)


def place(ui: Ui, cursor: int) -> Ui:
    """Put the cursor of the present screen."""
    return replace(ui, cursors={**ui.cursors, ui.page: max(0, cursor)})


def shown(page: Page, ui: Ui) -> tuple[Row, ...]:
    """The rows that pass the filter and `!`."""
    wanted = ui.search.casefold()
    return tuple(
        row
        for row in page.rows
        if (row.problem or not ui.problems)
        and (not wanted or any(wanted in plain(line).casefold() for line in row.lines))
    )


def can_open(page: Page) -> bool:
    """Whether rows are chosen one by one, rather than scrolled over."""
    return any(row.opens for row in page.rows)
