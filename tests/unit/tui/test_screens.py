# SPDX-License-Identifier: Apache-2.0
"""What the screens say."""

import itertools
from dataclasses import replace

import msgspec
import pytest

from appliance.netcore.plan.exchange import PhaseCount
from appliance.status.model import Condition, Severity
from appliance.status.offer import read_offer
from appliance.status.speech import Language, in_language
from appliance.tui.frame import frame
from appliance.tui.look import UNICODE, Look, Tone
from appliance.tui.page import Name
from appliance.tui.state import Known
from appliance.tui.text import columns_of
from appliance.tui.ui import Prompt, Ui
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.screens import broken, found, known, later, text, with_tunnel
from tests.unit.tui.tokens import TOKEN

NOT_YET = PhaseCount(waiting=2, reason="no route")
SIZES = [(80, 24), (20, 5), (1, 1), (200, 60), (39, 11), (3, 2), (80, 1)]
STATES = [Known(), known(healthy()), known(broken()), known(unenrolled()), known(healthy(), "gone")]


@pytest.mark.parametrize(("name", "size"), list(itertools.product(Name, SIZES)))
def test_every_screen_fits_every_size(name: Name, size: tuple[int, int]) -> None:
    for state, prompt in itertools.product(STATES, (None, Prompt(":", "x" * 300, 300))):
        ui = Ui(page=name, back=(Name.DOCTOR,), opened="no-tunnel", target="web:80", prompt=prompt, root=True)
        lines = text(state, ui, width=size[0], height=size[1])
        assert len(lines) == size[1]
        assert max(len(line) for line in lines) <= size[0]
        assert all(line.isascii() for line in lines)


def test_the_most_important_fact_is_on_every_screen() -> None:
    for name in (one for one in Name if one is not Name.CODE):
        lines = text(known(broken()), Ui(page=name, back=(Name.DOCTOR,)))
        assert lines[1].startswith("FAULT  no tunnel is up"), name


def test_all_is_well() -> None:
    lines = text(known(healthy()), Ui())
    assert lines[0].startswith(" Orillo  shop1.lab (edge)  Overview")
    assert lines[1] == "HEALTHY  everything is as planned"
    assert found(lines, "Tunnels", "2 of 2 up, by connector-1 (12 ms)")
    assert found(lines, "Plan", "generation 12, issued 4 min ago")


def test_what_is_wrong_comes_with_what_to_do() -> None:
    lines = text(known(broken()), Ui())
    assert found(lines[2:6], "FAULT", "no tunnel is up")
    assert found(lines, "-> check the uplink")


def test_no_answer_is_said_and_the_old_picture_is_dated() -> None:
    nothing = text(known("the daemon does not run: start it"), Ui())
    assert nothing[1] == "NO ANSWER  the daemon does not run: start it"
    old = text(known(healthy(), "the daemon does not run"), Ui())
    assert old[1] == "NO NEWS SINCE 03:04:05  the daemon does not run"
    assert found(old, "2 of 2 up")


def test_tunnels_show_rates_and_reasons() -> None:
    first = healthy()
    second = with_tunnel(later(first), "connector-1", bytes_in=first.tunnels["connector-1"].bytes_in + 2_000)
    lines = text(known(first, second), Ui(page=Name.TUNNELS))
    assert found(lines, "connector-1 *", "up", "12 ms", "2.0 kB", "0 B")
    lines = text(known(broken()), Ui(page=Name.TUNNELS))
    assert found(lines, "connector-2", "DOWN")
    assert found(lines, "    no answer on UDP 500 and 4500")


def test_enter_shows_all_about_a_row() -> None:
    ui = Ui(page=Name.DETAIL, back=(Name.TUNNELS,), opened="connector-2")
    lines = text(known(broken()), ui)
    assert found(lines, "reason", "no answer on UDP 500 and 4500")
    assert found(text(known(unenrolled()), ui), "connector-2 is gone")


def test_services_show_who_answers() -> None:
    assert found(text(known(healthy()), Ui(page=Name.SERVICES)), "default/web:http", "node", "1/2")
    assert found(text(known(broken()), Ui(page=Name.SERVICES)), "default/web:http", "NOBODY")
    ui = Ui(page=Name.DETAIL, back=(Name.SERVICES,), opened="default/web:http")
    assert found(text(known(healthy()), ui), "10.200.21.5:8080", "DEAD")


def test_dns_names_the_cache_and_the_names() -> None:
    lines = text(known(broken()), Ui(page=Name.DNS))
    assert found(lines, "Cache", "not ready: unbound does not answer")
    assert found(lines, "web.default.svc", "10.96.0.10")


def test_plan_shows_tables_as_branches() -> None:
    lines = text(known(broken()), Ui(page=Name.PLAN))
    assert found(lines, "In force", "generation 12")
    assert found(lines, "|- dns", "0", "2", "unbound does not answer")
    assert found(lines, "`- routes")


def test_the_path_names_the_step_where_it_breaks() -> None:
    lines = text(known(broken()), Ui(page=Name.PATH, target="connector-1"))
    assert found(lines, "HERE", "tunnel", "connector-1 is down: no answer on UDP 500")
    waiting = msgspec.structs.replace(
        broken(), tables={"connections": PhaseCount(waiting=2, reason="no route")}
    )
    near = msgspec.structs.replace(waiting, services=healthy().services)
    assert found(
        text(known(waiting), Ui(page=Name.PATH, target="192.0.2.9")), "HERE", "connections", "no route"
    )
    assert not found(text(known(near), Ui(page=Name.PATH, target="web:80")), "HERE")
    lines = text(known(healthy()), Ui(page=Name.PATH, target="10.96.0.10:80"))
    assert found(lines, "ok", "backend", "tier node: 10.200.1.5:8080")
    lines = text(known(healthy()), Ui(page=Name.PATH, target="192.0.2.9"))
    assert found(lines, "ok", "tunnel", "connector-1 is up")
    assert found(lines, "?", "beyond")
    assert found(text(known(unenrolled()), Ui(page=Name.PATH, target="x")), "HERE", "plan")


def test_events_are_newest_first() -> None:
    lines = text(known(healthy(), later(broken()), later(healthy(), 5)), Ui(page=Name.EVENTS))
    up = next(i for i, line in enumerate(lines) if "tunnel connector-1 is up" in line)
    down = next(i for i, line in enumerate(lines) if "tunnel connector-1 is down" in line)
    assert up < down


def test_a_token_is_compared_before_it_is_used() -> None:
    offer = read_offer(TOKEN.to_text())
    lines = text(known(unenrolled()), Ui(page=Name.ENROL, offer=offer, root=True))
    assert found(lines, "Operator", "https://203.0.113.1:8443")
    assert found(lines, "CA pin", "abab abab")
    assert found(lines, "y yes, enrol", "n no")
    assert not found(lines, TOKEN.secret)


def test_a_token_that_is_being_typed_is_not_shown() -> None:
    typed = f"enrol {TOKEN.to_text()}"
    lines = text(known(unenrolled()), Ui(page=Name.ENROL, prompt=Prompt(":", typed, len(typed)), root=True))
    assert lines[-2] == f":enrol orillo1.... ({len(TOKEN.to_text())} characters)"


def test_support_can_be_read_aloud() -> None:
    lines = text(known(broken()), Ui(page=Name.SUPPORT))
    assert found(lines, "Codes", "no-tunnel, table-failed")
    assert found(lines, "Instance", "0a1b2c3d")


def test_who_is_not_root_sees_no_action_that_changes() -> None:
    assert not found(text(known(healthy()), Ui()), "look again now")
    assert found(text(known(healthy()), Ui(root=True)), "r look again now")
    assert found(text(known(healthy()), Ui()), "read-only")


def test_only_what_is_wrong() -> None:
    one_down = with_tunnel(healthy(), "connector-2", up=False)
    lines = text(known(one_down), Ui(page=Name.TUNNELS, problems=True))
    assert found(lines, "connector-2")
    assert not found(lines, "connector-1 *")
    assert found(text(known(healthy()), Ui(page=Name.TUNNELS, problems=True)), "nothing here is wrong")


def test_a_filter_keeps_rows_that_contain_it() -> None:
    lines = text(known(healthy()), Ui(page=Name.TUNNELS, search="CTOR-2"))
    assert found(lines, "connector-2")
    assert not found(lines, "connector-1")
    assert found(
        text(known(healthy()), Ui(page=Name.TUNNELS, search="zz")), "no row is left", "Esc shows all 2"
    )


def test_a_long_list_scrolls_and_says_where_one_is() -> None:
    tunnels = {f"peer-{number:03}": healthy().tunnels["connector-2"] for number in range(100)}
    many = known(msgspec.structs.replace(healthy(), tunnels=tunnels))
    ui = Ui(page=Name.TUNNELS, cursors={Name.TUNNELS: 50})
    lines = text(many, ui)
    assert found(lines, "peer-050")
    assert not found(lines, "peer-000")
    assert found(lines[-2:], "of 100")


def test_tones_carry_nothing_that_words_do_not() -> None:
    """A monochrome terminal shows the same words; the chosen row and what is bad are reversed too."""
    lines = frame(known(broken()), Ui(page=Name.TUNNELS), Look(), 80, 24)
    assert any(span.tone is Tone.CHOSEN for line in lines for span in line)
    assert text(known(broken()), Ui()) == text(known(broken()), Ui(), Look())


def test_unicode_where_it_is_sure() -> None:
    lines = text(known(broken()), Ui(page=Name.PLAN), Look(signs=UNICODE))
    assert found(lines, "└─ routes")


def test_what_is_wrong_in_chinese() -> None:
    cause = Condition("link-disabled", Severity.FAULT, "English", "English too", about={"link": "eth0"})
    state = known(msgspec.structs.replace(healthy(), conditions=(cause,)))
    look = Look(signs=UNICODE)
    lines = text(replace(state, language=Language.CHINESE), Ui(), look)
    assert not found(lines, "English")
    assert found(lines, "eth0")
    assert found(text(state, Ui(), look), "English too")
    assert max(columns_of(line) for line in lines) <= 80


def test_a_condition_of_another_version_stays_as_it_was_said() -> None:
    cause = Condition("of-the-future", Severity.FAULT, "English")
    assert in_language(cause, Language.CHINESE) == cause
