# SPDX-License-Identifier: Apache-2.0
"""One collection followed, on a scripted server and with a clock that moves when somebody sleeps."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest

from cloud.source.follower import Follower, View
from cloud.source.kinds import find_kind
from cloud.source.objects import Community
from cloud.source.resources import NODES, Resource
from tests.fakes.kubernetes import ScriptedApi, Step, bookmark, event, is_watch, listing, node, status

COMMUNITIES = Resource(
    find_kind("community"), "orillo.io/v1alpha1", Community, definition="communities.orillo.io"
)
QUIET: list[Step] = [[]]


class EnoughError(Exception):
    """Ends a follower that would go on for ever."""


@dataclass
class Time:
    """Sleeping is what makes it pass; after so many naps the test has seen enough."""

    naps: int
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) >= self.naps:
            raise EnoughError
        await asyncio.sleep(0)


async def follow(script: ScriptedApi, naps: int, resource: Resource = NODES) -> tuple[View, Time, int]:
    """Follow for a while: the view, the pauses, and how often it was called news."""
    view, time, news = View(resource), Time(naps), []
    follower = Follower(script.api(), view, lambda: news.append(1), time.sleep, time.clock)
    with pytest.raises(EnoughError):
        await follower.run()
    return view, time, len(news)


def names(view: View) -> set[str]:
    """What the view has."""
    return {name for _, _, name in view.objects}


def versions(script: ScriptedApi) -> list[str]:
    """Where each watch began."""
    return [request.url.params["resourceVersion"] for request in script.asked if is_watch(request)]


async def test_a_watch_goes_on_where_it_ended() -> None:
    first: Step = [event("ADDED", node("b", "6")), bookmark("9")]
    script = ScriptedApi([listing("5", node("a"))], [first, []])
    view, _, _ = await follow(script, 3)
    assert names(view) == {"a", "b"}
    assert versions(script) == ["5", "9", "9"]


async def test_pages_are_one_list() -> None:
    script = ScriptedApi([listing("", node("a"), more="next"), listing("7", node("b"))], QUIET)
    view, _, news = await follow(script, 1)
    assert names(view) == {"a", "b"}
    assert script.asked[1].url.params["continue"] == "next"
    assert news == 1


@pytest.mark.parametrize(
    "gone", [[event("ERROR", status(410, "Expired"))], (410, status(410, "Gone"))], ids=["stream", "status"]
)
async def test_an_expired_version_is_listed_again_and_deletes_are_found(gone: Step) -> None:
    script = ScriptedApi([listing("5", node("a"), node("b")), listing("9", node("b"))], [gone, []])
    view, _, news = await follow(script, 2)
    assert names(view) == {"b"}
    assert versions(script) == ["5", "9"]
    assert news == 2


async def test_a_version_that_always_expires_is_no_hot_loop() -> None:
    """Measured on others: 441 watches in six seconds."""
    script = ScriptedApi([listing("5", node("a"))], [[event("ERROR", status(410, "Expired"))]])
    _, time, _ = await follow(script, 10)
    assert time.slept == sorted(time.slept, key=lambda pause: min(pause, 10.0))
    # At least seven tenths of 0.25 + 0.5 + 1 + 2 + 4 + 8 + 4 x 15 seconds.
    assert sum(time.slept) > 53


async def test_a_list_that_expires_halfway_begins_anew() -> None:
    script = ScriptedApi(
        [listing("", node("a"), more="old"), (410, status(410, "Expired")), listing("8", node("b"))], QUIET
    )
    view, _, _ = await follow(script, 2)
    assert names(view) == {"b"}


async def test_half_an_event_is_no_event() -> None:
    whole = event("DELETED", node("a", "6"))
    cuts: list[Step] = [[whole[:-9]], [whole[:-9], httpx.ReadError("reset")]]
    for cut in cuts:
        script = ScriptedApi([listing("5", node("a"))], [cut, []])
        view, _, _ = await follow(script, 2)
        assert names(view) == {"a"}
        assert versions(script) == ["5", "5"]


async def test_lines_may_come_in_any_pieces() -> None:
    text = event("ADDED", node("b", "6")) + event("MODIFIED", node("b", "7", **{"orillo.io/site": "x"}))
    pieces: Step = [text[place : place + 7] for place in range(0, len(text), 7)]
    view, _, news = await follow(ScriptedApi([listing("5")], [pieces, []]), 1)
    assert view.objects[("Node", "", "b")].body["metadata"]["labels"] == {"orillo.io/site": "x"}
    assert news == 3


async def test_silence_is_no_failure() -> None:
    """It took its ninety seconds, so the next watch follows at once."""
    script = ScriptedApi([listing("5")], [[bookmark("6"), httpx.ReadTimeout("")], []])
    _, time, _ = await follow(script, 1)
    assert versions(script)[0] == "5"
    assert time.slept[0] < 0.5


async def test_a_server_that_asks_for_patience_gets_it() -> None:
    class Patient(ScriptedApi):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return httpx.Response(429, headers={"Retry-After": "7"}, json=status(429, "TooManyRequests"))

    _, time, _ = await follow(Patient(QUIET, QUIET), 3)
    assert min(time.slept) == 7


async def test_a_version_of_the_future_is_forgotten() -> None:
    """An etcd that was restored from a backup counts from a lower number."""
    script = ScriptedApi([listing("500"), listing("20")], [(504, status(504, "Timeout")), []])
    await follow(script, 2)
    assert versions(script) == ["500", "20"]


async def test_a_server_that_is_away_keeps_the_version() -> None:
    script = ScriptedApi([listing("5")], [[httpx.ConnectError("refused")], []])
    await follow(script, 2)
    assert versions(script) == ["5", "5"]


async def test_404_is_the_end_of_all_objects_only_if_the_definition_is_gone() -> None:
    shops = {"metadata": {"name": "shops"}, "spec": {"members": []}}
    lists: list[Step] = [listing("5", shops), (404, status(404, "NotFound"))]
    expired: list[Step] = [[event("ERROR", status(410, "Expired"))]]
    starting = ScriptedApi(lists, expired)
    view, _, _ = await follow(starting, 4, COMMUNITIES)
    assert names(view) == {"shops"}
    gone = ScriptedApi(lists, expired)
    gone.definitions = (404, status(404, "NotFound"))
    view, _, _ = await follow(gone, 4, COMMUNITIES)
    assert names(view) == set()
    assert view.listed


async def test_an_object_that_can_not_be_read_stays_as_it_was() -> None:
    bad = node("a", "6") | {"spec": {"podCIDRs": ["nonsense"]}}
    script = ScriptedApi([listing("5", node("a"), node("Dotted.name"))], [[event("MODIFIED", bad)], []])
    view, _, _ = await follow(script, 2)
    assert names(view) == {"a"}
    assert "podCIDRs" in view.faults[("Node", "", "a")]
    assert len(view.faults) == 2


async def test_the_token_goes_with_each_request() -> None:
    script = ScriptedApi([listing("5")], QUIET)
    await follow(script, 2)
    assert {request.headers["Authorization"] for request in script.asked} == {"Bearer a-token"}
