# SPDX-License-Identifier: Apache-2.0
"""What a key does: from a place and a key to the next place, and what is to be done outside. Pure.

Keys have Textual's names ("up", "f1", "ctrl+l"); `character` is what the key would print.
"""

from dataclasses import dataclass, field, replace

from appliance.tui.commands import ROOT_ONLY, Effect, Quit, Repaint, execute
from appliance.tui.page import KEYS, NUMBERED, Action, Name, Page
from appliance.tui.ui import Notice, Prompt, Ui, can_open, go, place, shown

_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
_LEAPS = {"pageup": -1, "pagedown": 1}


@dataclass(frozen=True)
class View:
    """What the keys act on: the page as it is shown, and how many lines of it fit."""

    page: Page = field(default_factory=Page)
    room: int = 20


Next = tuple[Ui, tuple[Effect, ...]]


def press(ui: Ui, view: View, key: str, character: str | None) -> Next:
    """One key."""
    if key in ("ctrl+c", "ctrl+q"):
        return ui, (Quit(),)
    if key == "ctrl+l":
        return ui, (Repaint(),)
    if ui.prompt is not None:
        return _typed(ui, ui.prompt, key, character)
    ui = replace(ui, notice=None)
    page = _screen(ui, key, character)
    if page is not None:
        return go(ui, page), ()
    if key == "escape":
        return _back(ui), ()
    if character in (":", "/"):
        return replace(ui, prompt=Prompt(character)), ()
    if character == "?":
        return go(ui, Name.HELP), ()
    if character == "!":
        return place(replace(ui, problems=not ui.problems), 0), ()
    if character in ("q", "Q"):
        return ui, (Quit(),)
    return _acted(ui, view, key, character)


def paste(ui: Ui, text: str) -> Ui:
    """Text that was pasted: into the prompt, or as a token on the screen for it."""
    word = "".join(text.split())
    if ui.prompt is not None:
        before, after = ui.prompt.text[: ui.prompt.at], ui.prompt.text[ui.prompt.at :]
        return replace(ui, prompt=replace(ui.prompt, text=before + word + after, at=ui.prompt.at + len(word)))
    if ui.page is Name.ENROL and ui.root:
        typed = f"enrol {word}"
        return replace(ui, prompt=Prompt(":", typed, len(typed)))
    return ui


def _screen(ui: Ui, key: str, character: str | None) -> Name | None:
    if character and character in KEYS:
        return NUMBERED[KEYS.index(character)]
    if key.startswith("f") and key[1:].isdecimal() and 1 <= int(key[1:]) <= len(NUMBERED):
        return NUMBERED[int(key[1:]) - 1]
    if key in ("tab", "shift+tab") and ui.page in NUMBERED:
        step = 1 if key == "tab" else -1
        return NUMBERED[(NUMBERED.index(ui.page) + step) % len(NUMBERED)]
    return None


def _back(ui: Ui) -> Ui:
    if ui.offer is not None and ui.page is Name.ENROL:
        return replace(ui, offer=None)
    if ui.search:
        return place(replace(ui, search=""), 0)
    if ui.back:
        return replace(ui, page=ui.back[-1], back=ui.back[:-1])
    if ui.problems:
        return replace(ui, problems=False)
    return go(ui, Name.OVERVIEW)


def _acted(ui: Ui, view: View, key: str, character: str | None) -> Next:
    for action in view.page.actions:
        if action.letter != character:
            continue
        if action.changes and not ui.root:
            return replace(ui, notice=Notice(ROOT_ONLY)), ()
        return _chosen(ui, view, action)
    if key == "enter":
        return _open(ui, view)
    return _moved(ui, view, key), ()


def _chosen(ui: Ui, view: View, action: Action) -> Next:
    command = action.command
    if action.of_row:
        key = _key_here(ui, view)
        if not key:
            return replace(ui, notice=Notice("choose a row first")), ()
        command = f"{command} {key}"
    if action.ask:
        return replace(ui, prompt=Prompt(":", command, len(command))), ()
    return execute(ui, command)


def _key_here(ui: Ui, view: View) -> str:
    """The key of the row that one is on, or looks at in full."""
    if ui.page is Name.DETAIL:
        return ui.opened
    rows = shown(view.page, ui)
    return rows[min(ui.cursor, len(rows) - 1)].key if rows else ""


def _open(ui: Ui, view: View) -> Next:
    rows = shown(view.page, ui)
    if not can_open(view.page) or ui.cursor >= len(rows) or not rows[ui.cursor].opens:
        return ui, ()
    row = rows[ui.cursor]
    if row.command:
        # Shown before it is done: Enter once more agrees.
        return replace(ui, prompt=Prompt(":", row.command, len(row.command))), ()
    return place(go(replace(ui, opened=row.key), Name.DETAIL), 0), ()


def _moved(ui: Ui, view: View, key: str) -> Ui:
    rows = shown(view.page, ui)
    chosen = can_open(view.page)
    lines = sum(len(row.lines) for row in rows)
    last = max(0, len(rows) - 1 if chosen else lines - view.room)
    room = max(1, view.room - 1)
    if key in _STEPS:
        to = ui.cursor + _STEPS[key]
    elif key in _LEAPS:
        to = ui.cursor + _LEAPS[key] * room
    elif key in ("home", "g"):
        to = 0
    elif key in ("end", "G", "upper_g"):
        to = last
    else:
        return ui
    return place(ui, min(to, last))


def _typed(ui: Ui, prompt: Prompt, key: str, character: str | None) -> Next:
    if key == "escape":
        return replace(ui, prompt=None), ()
    if key == "enter":
        ui = replace(ui, prompt=None)
        if prompt.sign == "/":
            return place(replace(ui, search=prompt.text.strip()), 0), ()
        return execute(ui, prompt.text)
    if key == "backspace" and not prompt.text:
        return replace(ui, prompt=None), ()
    return replace(ui, prompt=edit(prompt, key, character)), ()


def edit(prompt: Prompt, key: str, character: str | None) -> Prompt:
    """The prompt after a key."""
    text, at = prompt.text, prompt.at
    match key:
        case "backspace" | "ctrl+h":
            return replace(prompt, text=text[: max(0, at - 1)] + text[at:], at=max(0, at - 1))
        case "delete":
            return replace(prompt, text=text[:at] + text[at + 1 :])
        case "left":
            return replace(prompt, at=max(0, at - 1))
        case "right":
            return replace(prompt, at=min(len(text), at + 1))
        case "home" | "ctrl+a":
            return replace(prompt, at=0)
        case "end" | "ctrl+e":
            return replace(prompt, at=len(text))
        case "ctrl+u":
            return replace(prompt, text=text[at:], at=0)
    if character and character.isprintable():
        return replace(prompt, text=text[:at] + character + text[at:], at=at + len(character))
    return prompt
