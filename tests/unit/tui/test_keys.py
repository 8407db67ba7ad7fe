# SPDX-License-Identifier: Apache-2.0
"""What keys do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.tui.commands import Ask, Effect, Quit, Repaint, Report, Save
from appliance.tui.frame import frame, view
from appliance.tui.keys import paste, press
from appliance.tui.look import Look
from appliance.tui.page import NUMBERED, Name, key_of
from appliance.tui.state import Known
from appliance.tui.ui import Prompt, Ui, shown
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.screens import broken, known
from tests.unit.tui.tokens import TOKEN

KEYS = [
    "up",
    "down",
    "enter",
    "escape",
    "tab",
    "pagedown",
    "home",
    "end",
    "backspace",
    "left",
    "f3",
    "f11",
    "delete",
]
CHARACTERS = "1234567890-:/?!rlpsynjkgG qxbeik"


def typed(ui: Ui, *keys: str, state: Known | None = None) -> tuple[Ui, list[Effect]]:
    """Type keys: names, or texts that are typed letter by letter."""
    effects: list[Effect] = []
    state = state or known(healthy())
    for key in keys:
        singles = [(key, None)] if key in KEYS or key.startswith("ctrl+") else [(one, one) for one in key]
        for name, character in singles:
            ui, more = press(ui, view(state, ui, Look(), 80, 24), name, character)
            effects += more
    return ui, effects


@pytest.mark.parametrize(("index", "name"), list(enumerate(NUMBERED)))
def test_digits_and_function_keys_choose_screens(index: int, name: Name) -> None:
    assert typed(Ui(page=Name.HELP), key_of(name))[0].page is name
    assert press(Ui(), view(known(), Ui(), Look(), 80, 24), f"f{index + 1}", None)[0].page is name


def test_tab_goes_around() -> None:
    assert typed(Ui(page=Name.SUPPORT), "tab")[0].page is Name.OVERVIEW


@pytest.mark.parametrize("keys", [("q",), ("ctrl+c",), (":", "quit", "enter"), (":", "q", "enter")])
def test_ways_to_leave(keys: tuple[str, ...]) -> None:
    assert typed(Ui(), *keys)[1] == [Quit()]


def test_q_in_a_prompt_is_a_letter() -> None:
    ui, effects = typed(Ui(page=Name.TUNNELS), "/", "q")
    assert (effects, ui.prompt) == ([], Prompt("/", "q", 1))


def test_filter_and_its_end() -> None:
    ui, _ = typed(Ui(page=Name.TUNNELS), "/", "hub", "enter")
    assert ui.search == "hub"
    assert typed(ui, "escape")[0].search == ""


def test_help_and_back() -> None:
    ui, _ = typed(Ui(page=Name.PLAN), "?")
    assert ui.page is Name.HELP
    assert typed(ui, "escape")[0].page is Name.PLAN


def test_rows_are_chosen_and_opened() -> None:
    ui, _ = typed(Ui(page=Name.TUNNELS), "down", "down", "down", "enter")
    assert (ui.page, ui.opened) == (Name.DETAIL, "connector-2")
    assert typed(ui, "escape")[0].page is Name.TUNNELS


def test_actions_that_change_something_need_root() -> None:
    ui, effects = typed(Ui(), "r")
    assert effects == []
    assert ui.notice is not None
    assert "sudo" in ui.notice.text
    assert typed(Ui(), ":", "resync", "enter")[1] == []
    assert typed(Ui(root=True), "r")[1] == [Ask("resync", "the daemon looks again")]


def test_a_token_is_offered_then_agreed_to() -> None:
    ui, effects = typed(
        Ui(page=Name.ENROL, root=True), "t", TOKEN.to_text(), "enter", state=known(unenrolled())
    )
    assert effects == []
    assert ui.offer is not None
    assert TOKEN.to_text() not in repr(ui)
    ui, effects = typed(ui, "y", state=known(unenrolled()))
    assert [(one.op, one.fields) for one in effects if isinstance(one, Ask)] == [
        ("enroll", {"token": TOKEN.to_text()})
    ]
    assert TOKEN.to_text() not in repr(effects)
    assert ui.offer is None


def test_a_token_can_be_refused_or_pasted() -> None:
    ui = paste(Ui(page=Name.ENROL, root=True), TOKEN.to_text()[:40] + "\r\n" + TOKEN.to_text()[40:])
    ui, _ = typed(ui, "enter", state=known(unenrolled()))
    assert ui.offer is not None
    ui, effects = typed(ui, "n", state=known(unenrolled()))
    assert (ui.offer, effects) == (None, [])


def test_no_token_is_told_without_repeating_it() -> None:
    ui, _ = typed(Ui(root=True), ":", "enrol", " ", "secretive", "enter")
    assert ui.notice is not None
    assert "no enrolment token" in ui.notice.text
    assert "secretive" not in ui.notice.text


def test_path_and_save() -> None:
    ui, _ = typed(Ui(page=Name.PATH), "p", "web:80", "enter")
    assert (ui.page, ui.target) == (Name.PATH, "web:80")
    ui, effects = typed(Ui(page=Name.PATH, root=True), "p", "web:80", "enter")
    assert ui.target == "self web 80"
    assert [(one.op, one.fields) for one in effects if isinstance(one, Ask)] == [
        ("why", {"a": "self", "b": "web", "port": 80})
    ]
    assert typed(Ui(page=Name.SUPPORT), "s", "/tmp/x", "enter")[1] == [Save("/tmp/x")]
    assert typed(Ui(), ":", "save", "enter")[1] == []


def test_commands_may_be_cut_short() -> None:
    assert typed(Ui(), ":", "tun", "enter")[0].page is Name.TUNNELS
    ui, _ = typed(Ui(), ":", "nonsense", "enter")
    assert ui.notice is not None
    assert ui.notice.about == {"verb": "'nonsense'"}


def test_actions_are_for_the_chosen_tunnel() -> None:
    ui, effects = typed(Ui(page=Name.TUNNELS, root=True), "down", "p")
    assert effects == [Ask("probe", "", {"peer": "connector-2"})]
    ui, effects = typed(Ui(page=Name.TUNNELS, root=True), "i")
    assert (effects, ui.prompt) == ([], Prompt(":", "reinitiate connector-1", 22))
    assert typed(ui, "enter")[1] == [Ask("reinitiate", "", {"peer": "connector-1"})]
    assert typed(ui, "escape")[1] == []
    ui, effects = typed(Ui(page=Name.TUNNELS, root=True), "down", "enter", "p")
    assert effects == [Ask("probe", "", {"peer": "connector-2"})]


@pytest.mark.parametrize("command", ["probe x", "reinitiate x", "report x", "examine", "resync"])
def test_what_acts_on_the_device_is_for_root(command: str) -> None:
    ui, effects = typed(Ui(), ":", command, "enter")
    assert effects == []
    assert ui.notice is not None
    assert "sudo" in ui.notice.text


def test_a_name_is_looked_up() -> None:
    _, effects = typed(Ui(page=Name.DNS), "l", "web", "enter")
    assert effects == [Ask("lookup", "answered", {"name": "web"})]
    assert typed(Ui(), ":", "lookup", "enter")[1] == []


def test_a_report_goes_to_the_chosen_place() -> None:
    state = replace(known(healthy()), places=("/media/stick",))
    here = Ui(page=Name.SUPPORT, root=True)
    rows = shown(view(state, here, Look(), 80, 24).page, here)
    place = next(index for index, row in enumerate(rows) if row.key == "/media/stick")
    ui, effects = typed(here, *["down"] * place, "enter", state=state)
    assert (effects, ui.prompt and ui.prompt.text) == ([], "report /media/stick/")
    assert typed(ui, "enter", state=state)[1] == [Report("/media/stick/")]


def test_logs_and_code_are_beside_their_screens() -> None:
    ui, _ = typed(Ui(page=Name.EVENTS), "l")
    assert ui.page is Name.LOGS
    assert typed(ui, "escape")[0].page is Name.EVENTS
    assert typed(ui, "e")[0].page is Name.EVENTS
    ui, _ = typed(Ui(page=Name.SUPPORT), "k")
    assert ui.page is Name.CODE
    assert typed(ui, "escape")[0].page is Name.SUPPORT


def test_repaint() -> None:
    assert typed(Ui(), "ctrl+l")[1] == [Repaint()]


def test_editing() -> None:
    ui, _ = typed(Ui(), ":", "abd", "left", "c", "home", "x", "delete", "end", "backspace")
    assert ui.prompt == Prompt(":", "xbc", 3)


@settings(deadline=None)  # other tests may have the processors
@given(st.lists(st.one_of(st.sampled_from(KEYS), st.sampled_from(CHARACTERS)), max_size=40))
def test_no_keys_break_it(keys: list[str]) -> None:
    state = known(broken())
    ui = Ui(root=True)
    for key in keys:
        ui, _ = press(ui, view(state, ui, Look(), 80, 24), key, key if len(key) == 1 else None)
        assert len(frame(state, ui, Look(), 80, 24)) == 24


@pytest.mark.parametrize("name", list(Name))
def test_the_common_keys_work_on_every_screen(name: Name) -> None:
    here = Ui(
        page=name, back=(Name.TUNNELS,) if name not in NUMBERED else (), opened="connector-1", root=True
    )
    assert typed(here, "?")[0].page is Name.HELP
    assert typed(here, "2")[0].page is Name.TUNNELS
    assert typed(here, "f3")[0].page is Name.PATH
    assert typed(here, "q")[1] == [Quit()]
    assert typed(here, ":")[0].prompt == Prompt(":")
    assert typed(here, "/")[0].prompt == Prompt("/")
    assert typed(here, "!")[0].problems
    assert typed(here, "escape")[0].page in (Name.TUNNELS, Name.OVERVIEW)
