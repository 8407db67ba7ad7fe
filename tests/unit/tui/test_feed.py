# SPDX-License-Identifier: Apache-2.0
"""A recording holds what was said, and answers as the daemon did then."""

import io
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.status.watching import DoorError
from appliance.tui.feed import Recording, demo, read_lines, recorded_answer, recorded_asker, recording
from appliance.tui.state import Known, answered, heard, refused
from appliance.tui.topics import ALL, PLACES, due
from tests.unit.status.snapshots import healthy
from tests.unit.tui.looks import LOOKS, LOOKUP
from tests.unit.tui.screens import later

HERE = Path("here")


async def ask(made: Recording, op: str, **fields: Any) -> list[Mapping[str, Any]]:
    return [answer async for answer in made.ask(op, fields)]


async def test_answers_are_those_of_their_time() -> None:
    lines = (
        recording(healthy()),
        recorded_answer("dns", {}, {"ok": True, "queries": 1}),
        recording(later(healthy())),
        recorded_answer("dns", {}, {"ok": True, "queries": 2}),
    )
    made = read_lines(b"".join(lines), HERE)
    assert await ask(made, "dns") == [{"queries": 1}]
    assert len([word async for word in made.feed()]) == 2
    assert await ask(made, "dns") == [{"queries": 2}]


async def test_questions_are_told_apart_and_strange_ones_are_refused() -> None:
    lines = (recording(healthy()), recorded_answer("lookup", {"name": "www.example.com"}, LOOKUP))
    made = read_lines(b"".join(lines), HERE)
    assert (await ask(made, "lookup", name="www.example.com"))[0]["source"] == "forward"
    with pytest.raises(DoorError, match="this is a recording"):
        await ask(made, "lookup", name="another.example.com")
    with pytest.raises(DoorError, match="this is a recording"):
        await ask(made, "resync")


async def test_a_recorded_walk_is_walked_again() -> None:
    hops = [{"step": "plan", "ok": True, "text": "x"}, {"step": "ike", "ok": True, "text": "y"}]
    whole = {"a": "self", "b": "shop2", "hops": hops, "breaks": ""}
    line = recorded_answer("why", {"a": "self", "b": "shop2"}, whole)
    made = read_lines(recording(healthy()) + line, HERE)
    answers = await ask(made, "why", a="self", b="shop2")
    assert [answer.get("part") for answer in answers] == [*hops, None]


async def test_no_token_and_no_report_is_recorded_and_nothing_twice() -> None:
    async def asker(op: str, _fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        yield {"ok": True, **LOOKS.get(op, {})}

    file = io.BytesIO()
    record = recorded_asker(asker, file)
    for op in ("enroll", "bugreport", "pods", "pods"):
        _ = [answer async for answer in record(op, {"token": "secret"})]
    assert file.getvalue().count(b"\n") == 1
    assert b"secret" not in file.getvalue()


def test_the_demo_has_an_answer_to_everything_that_a_screen_asks() -> None:
    made = demo()
    ops = {said.op for _, said in made.said}
    assert {topic.op for topic in ALL} - {PLACES} <= ops
    assert {"lookup", "probe", "reinitiate", "why", "doctor"} <= ops
    known = Known()
    for snapshot in made.snapshots:
        known = heard(known, snapshot)
    for _, said in made.said:
        known = answered(known, said.op, said.answer)
    assert known.uplinks is not None
    assert known.peers is not None
    assert any(len(tunnel.children) for snapshot in made.snapshots for tunnel in snapshot.tunnels.values())
    assert any(tunnel.path for tunnel in made.snapshots[0].tunnels.values())


def test_what_failed_is_asked_for_again() -> None:
    (plan,) = (topic for topic in ALL if topic.op == "plan")
    state = heard(Known(), healthy())
    assert due(plan, state, None, 0.0)
    assert not due(plan, answered(state, "plan", LOOKS["plan"]), 0.0, 999.0)
    failed = refused(state, "plan", "the daemon ended")
    assert [due(plan, failed, 0.0, now) for now in (5.0, 11.0)] == [False, True]
    (dns,) = (topic for topic in ALL if topic.op == "dns")
    assert [due(dns, state, 0.0, now) for now in (4.0, 5.0)] == [False, True]
