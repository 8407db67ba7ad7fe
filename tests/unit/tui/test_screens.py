# SPDX-License-Identifier: Apache-2.0
"""What the screens say."""

import itertools
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from appliance.netcore.plan.exchange import PhaseCount
from appliance.status.model import Child, Condition, Path, Severity
from appliance.status.offer import read_offer
from appliance.status.speech import Language, in_language
from appliance.tui.frame import frame
from appliance.tui.look import UNICODE, Look, Tone
from appliance.tui.page import NUMBERED, Name
from appliance.tui.state import Known, answered, asked, partly, refused
from appliance.tui.text import columns_of
from appliance.tui.ui import Prompt, Ui
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.looks import LOOKS, LOOKUP, PROBE, with_looks
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


def looked(*words: object) -> Known:
    return with_looks(known(*words))  # type: ignore[arg-type]


def test_uplinks_show_link_carrier_address_and_gateway() -> None:
    lines = text(looked(healthy()), Ui())
    assert found(lines, "eth0", "carrier", "192.168.1.1", "192.168.1.10/24")
    assert found(lines, "wwan0", "NO CARRIER", "no address")
    assert found(lines, "eth1", "OFF")


def test_the_lag_behind_what_is_offered_is_said() -> None:
    base = healthy()
    control = msgspec.structs.replace(base.control, offered=13, refused="it needs agent 2.0")
    behind = msgspec.structs.replace(base, control=control)
    assert found(text(known(behind), Ui()), "Plan", "generation 12", "13 is offered and not in force")
    lines = text(known(behind), Ui(page=Name.PLAN))
    assert found(lines, "Lag", "13 is offered")
    assert found(lines, "Refused", "it needs agent 2.0")
    unread = msgspec.structs.replace(base, control=msgspec.structs.replace(base.control, refused="no key"))
    assert found(text(known(unread), Ui()), "Plan", "a newer one is refused: 7")
    applying = msgspec.structs.replace(base, applied=11)
    assert found(text(known(applying), Ui()), "still applying, 11 was applied")
    trial = msgspec.structs.replace(base, applied=12, on_trial=True)
    assert found(text(known(trial), Ui()), "on trial")
    assert base.plan_issued_at is not None
    quick = msgspec.structs.replace(base, applied=12, applied_at=base.plan_issued_at + timedelta(seconds=2))
    assert found(text(known(quick), Ui()), "Applied", "applied 2 s after it was issued")


def test_peers_have_their_path_and_who_carries_it() -> None:
    hub = with_tunnel(healthy(), "connector-1", path=Path.HUB)
    lines = text(looked(hub), Ui(page=Name.TUNNELS, root=True))
    assert found(lines, "TUNNEL", "PATH", "SA AGE", "TRAFFIC")
    assert found(lines, "connector-1 *", "hub", "up", "4 min")
    assert found(lines, "shop2", "edge", "hub", "connector-1", "up")
    assert found(lines, "i re-initiate  p probe")
    lan = with_tunnel(healthy(), "connector-2", path=Path.LAN)
    assert found(text(known(lan), Ui(page=Name.TUNNELS)), "connector-2", "lan")
    direct = with_tunnel(healthy(), "connector-2", path=Path.DIRECT)
    assert found(text(known(direct), Ui(page=Name.TUNNELS)), "connector-2", "direct")


def test_a_tunnel_in_full_has_its_sas_and_what_was_tried() -> None:
    child = Child("site", "installed", 62.0, 1200, 900, 12, 9)
    fields = {"children": (child,), "local": "192.168.1.10", "remote": "203.0.113.11"}
    state = answered(known(with_tunnel(healthy(), "connector-1", **fields)), "probe", PROBE)
    anew = {"peer": "connector-1", "up": True, "seconds": 0.4}
    state = answered(state, "reinitiate", anew)
    ui = Ui(page=Name.DETAIL, back=(Name.TUNNELS,), opened="connector-1", root=True)
    lines = text(state, ui)
    assert found(lines, "ends", "192.168.1.10 -> 203.0.113.11")
    assert found(lines, "CHILD SA", "site: installed, 1 min old, in/out 1.2 kB / 900 B, packets 12 / 9")
    assert found(lines, "probed", "2/5: 2.0 ms, 3.0 ms")
    assert found(lines, "full size", "1400 bytes: NO")
    assert found(lines, "made anew", "0.4 s")


def test_wide_terminals_have_both_directions_as_sparks() -> None:
    states = [
        with_tunnel(later(healthy(), n), "connector-1", bytes_in=1_200_000 + n * n * 1000) for n in range(9)
    ]
    lines = text(known(*states), Ui(page=Name.TUNNELS), Look(signs=UNICODE), 120, 40)
    assert found(lines, "TUNNEL", "IN/s", "IN", "OUT/s", "OUT", "REMOTE")
    assert found(lines, "connector-1 *", "▂", "█")


def test_dns_shows_hit_rate_slow_names_and_answers() -> None:
    state = answered(looked(healthy()), "lookup", LOOKUP)
    lines = text(state, Ui(page=Name.DNS))
    assert found(lines, "Hit rate", "93% of 1000 in 2 h; 2 expired, 1 failed")
    assert found(lines, "Speed", "84 ms on average", "3 above 1 s")
    assert found(lines, "Asks", "192.0.2.97 (376 ms, 3 unanswered)")
    assert found(lines, "slow.example.com.", "A", "3.8 s", "wait for 192.0.2.97")
    assert found(lines, "www.example.com", "192.0.2.7", "42 ms, asked for above")
    lines = text(state, Ui(page=Name.DETAIL, back=(Name.DNS,), opened="lookup www.example.com"))
    assert found(lines, "by", "192.0.2.98")


def test_pods_and_cni() -> None:
    lines = text(looked(healthy()), Ui(page=Name.PODS))
    assert found(lines, "Conflist", "is as planned", "10-orillo.conflist")
    assert found(lines, "Bridge", "br-orillo up, 2 ends of pods")
    assert found(lines, "Ranges", "10.200.1.0/24 (2 of 253 used)", "(2 used)")
    assert found(lines, "MTU", "1400")
    assert found(lines, "default/web-0", "reachable", "10.200.1.5")
    assert found(lines, "aabbccddeeff", "failed")
    only = text(looked(healthy()), Ui(page=Name.PODS, problems=True))
    assert not found(only, "default/web-0")
    wrong = {**LOOKS["pods"], "conflist": "differs", "bridge_mtu": 1500, "others": ["05-x.conf"]}
    lines = text(answered(known(healthy()), "pods", wrong), Ui(page=Name.PODS))
    assert found(lines, "is not as planned")
    assert found(lines, "runtimes take 05-x.conf before it")
    assert found(lines, "1500, the plan has 1400")
    nothing = text(answered(known(healthy()), "pods", {}), Ui(page=Name.PODS))
    assert found(nothing, "the plan has no pod network")
    assert found(text(known(healthy()), Ui(page=Name.PODS)), "asking ...")
    silent = refused(known(healthy()), "pods", "unknown op")
    assert found(text(silent, Ui(page=Name.PODS)), "the daemon says nothing of it: unknown op")


def test_log_lines_are_newest_first_and_filtered() -> None:
    state = looked(healthy())
    lines = text(state, Ui(page=Name.LOGS))
    newest = next(i for i, line in enumerate(lines) if "routes: refused" in line)
    oldest = next(i for i, line in enumerate(lines) if "ESP: libipsec" in line)
    assert newest < oldest
    assert not found(text(state, Ui(page=Name.LOGS, problems=True)), "ESP: libipsec")
    assert found(text(state, Ui(page=Name.LOGS, search="offline")), "warning", "sync.follow", "offline")
    assert not found(text(state, Ui(page=Name.LOGS, search="offline")), "routes: refused")


def test_log_lines_of_a_new_start_come_after_those_of_the_old() -> None:
    state = looked(healthy())
    again = {"run": "run2", "lines": [{**LOOKS["logs"]["lines"][0], "text": "a new start"}]}
    state = answered(answered(state, "logs", again), "logs", again)
    assert [line.text for line in state.journal.lines][-2:] == ["routes: refused", "a new start"]
    assert (state.journal.run, state.journal.newest) == ("run2", 1)


def test_a_path_is_filled_in_as_it_is_walked() -> None:
    state = asked(known(healthy()), "why", {"a": "self", "b": "shop2", "port": 443})
    ui = Ui(page=Name.PATH, target="self shop2 443", root=True)
    assert found(text(state, ui), "... walking on")
    hop = {"step": "plan", "ok": True, "text": "Both are in the plan."}
    state = partly(state, "why", hop)
    lines = text(state, ui)
    assert found(lines, "ok", "plan", "Both are in the plan.")
    assert found(lines, "... walking on")
    broken_off = refused(state, "why", "the daemon ended")
    assert found(text(broken_off, ui), "the daemon ended")
    whole = {"a": "self", "b": "shop2", "port": 443, "hops": [hop], "breaks": ""}
    lines = text(answered(state, "why", whole), ui)
    assert found(lines, "It holds")
    assert not found(lines, "walking on")


def test_fingerprints_are_there_to_compare() -> None:
    ui = Ui(page=Name.ENROL, offer=read_offer(TOKEN.to_text()), root=True)
    lines = text(looked(unenrolled()), ui)
    assert found(lines, "CA pin", "abab abab")
    assert found(lines, "Device key", "cdcd cdcd")
    lines = text(looked(healthy()), Ui(page=Name.ENROL, root=True))
    assert found(lines, "Key in use", "efef")
    assert found(lines, "Next key", "cdcd")


def test_support_offers_sticks() -> None:
    state = replace(looked(healthy()), places=("/media/usb0",))
    lines = text(state, Ui(page=Name.SUPPORT, root=True))
    assert found(lines, "USB stick or disk", "/media/usb0")
    assert found(lines, "b report", "k QR code", "s save data", "q quit")
    assert found(text(looked(healthy()), Ui(page=Name.SUPPORT)), "no USB stick is mounted")


@pytest.mark.parametrize("name", NUMBERED)
def test_actions_fit_on_80_columns(name: Name) -> None:
    lines = text(looked(healthy()), Ui(page=name, root=True))
    assert lines[-2].endswith("q quit") or " of " in lines[-2]
    assert "..." not in lines[-1]
    assert lines[-1].endswith("-Support")


def test_a_long_walk_shows_its_newest_step_until_it_is_over() -> None:
    state = asked(known(healthy()), "why", {"a": "self", "b": "shop2"})
    for number in range(30):
        state = partly(state, "why", {"step": "path", "ok": True, "text": f"Step {number} holds."})
    ui = Ui(page=Name.PATH, target="self shop2")
    assert found(text(state, ui), "Step 29 holds.")
    assert found(text(state, replace(ui, cursors={Name.PATH: 1})), "Step 1 holds.")
    hops = [{"step": "path", "ok": True, "text": f"Step {number} holds."} for number in range(30)]
    over = answered(state, "why", {"a": "self", "b": "shop2", "hops": hops})
    assert found(text(over, ui), "Step 0 holds.")
