# SPDX-License-Identifier: Apache-2.0
"""Following the control endpoint, with time and the endpoint in the test's hands."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.netcore.plan.exchange import PLAN_NONE, Report, TrustAnswer, TunnelState
from appliance.netcore.plan.model import Trust
from appliance.netcore.plan.signature import sign
from appliance.paths import Paths
from appliance.sync.errors import ControlError, RefusedError, UnreachableError
from appliance.sync.follow import Follower, Listeners, Polled
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.store import Held, PlanStore
from appliance.sync.timing import Timing, back_off
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import KEY, START, document, enrolled, plan_keys, plan_of


@dataclass(frozen=True)
class Sent:
    """A plan on its way."""

    body: bytes
    etag: str


class ScriptedEndpoint:
    """Gives the scripted answers one after the other, and then holds the poll for ever."""

    def __init__(self) -> None:
        self.script: deque[Sent | ControlError | None] = deque()
        self.asked: list[str | None] = []
        self.waits: list[int] = []
        self.reports: list[Report] = []
        self.report_error: ControlError | None = None
        self.closed = False

    async def plan(self, etag: str | None, wait: int) -> Sent | None:
        self.asked.append(etag)
        self.waits.append(wait)
        if not self.script:
            await asyncio.Event().wait()
        answer = self.script.popleft()
        if isinstance(answer, ControlError):
            raise answer
        return answer

    async def report(self, report: Report) -> None:
        if self.report_error is not None:
            raise self.report_error
        self.reports.append(report)

    async def renew(self, csr: bytes) -> bytes:
        raise UnreachableError("no renewal here")

    async def trust(self) -> TrustAnswer:
        raise UnreachableError("no trust here")

    async def close(self) -> None:
        self.closed = True


@dataclass
class Clock:
    """Time that passes only while somebody pauses, and then at once; pauses of a report's kind last."""

    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def pause(self, event: asyncio.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        if not event.is_set():
            self.seconds += seconds
        await asyncio.sleep(0)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def timing(self) -> Timing:
        return Timing(now=self.now, monotonic=lambda: self.seconds, pause=self.pause, jitter=lambda: 0.0)


@dataclass
class Site:
    """A follower and all that it was told and tells."""

    follower: Follower
    endpoint: ScriptedEndpoint
    clock: Clock
    plans: list[Held]
    store: PlanStore

    async def run_until(self, holds: Callable[[], bool]) -> None:
        """Let the loops run until something holds; a loop that never gets there fails the test."""
        running = asyncio.ensure_future(self.follower.run())
        try:
            for _ in range(2000):
                if holds():
                    return
                await asyncio.sleep(0)
            pytest.fail("it never came to hold")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def report_now(tunnels: dict[str, TunnelState] | None = None, at: datetime = START) -> Report:
    return Report(
        identity=SHOP1,
        agent="0.1.0",
        at=at,
        generation=0,
        digest="",
        ipsec="libipsec",
        tunnels=tunnels or {},
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def make_site(root: Path, held: bytes | None = None, report: Callable[[], Report] = report_now) -> Site:
    paths = Paths(root)
    device = enrolled(paths)
    store = PlanStore(paths.plans, plan_keys(), SHOP1)
    endpoint, clock, plans = ScriptedEndpoint(), Clock(), list[Held]()
    before = store.put(held, None) if held else None
    tell = Listeners(
        report=report,
        keep=lambda: plans[-1] if plans else before,
        plan=plans.append,
        identity=_ignore,
        control=lambda: None,
    )
    follower = Follower(paths, device, before, lambda _: endpoint, tell, clock.timing())
    return Site(follower, endpoint, clock, plans, store)


def _ignore(_: DeviceIdentity) -> None:
    pass


def sent(generation: int, **changes: object) -> Sent:
    return Sent(document(generation, **changes), f"digest-{generation}")


async def test_good_plan_is_kept_and_handed_over(site: Site) -> None:
    site.endpoint.script.append(sent(3))
    assert await site.follower.poll_once() is Polled.PLAN
    assert [held.plan.generation for held in site.plans] == [3]
    assert site.store.load().held == site.plans[0]
    assert site.follower.held == site.plans[0]


async def test_next_poll_names_the_plan_held(tmp_path: Path) -> None:
    site = make_site(tmp_path, held=document(3))
    site.endpoint.script.append(None)
    assert await site.follower.poll_once() is Polled.NOTHING
    assert site.follower.held is not None
    assert site.endpoint.asked == [site.follower.held.digest]


async def test_damaged_plan_is_refused_told_and_not_asked_for_again(tmp_path: Path) -> None:
    site = make_site(tmp_path, held=document(3))
    damaged = Sent(document(4).replace(b"10.255.0.2", b"10.255.0.9"), "the-damaged-one")
    site.endpoint.script += [damaged, None]
    assert await site.follower.poll_once() is Polled.REFUSED
    assert "changed or damaged" in site.follower.control.refused
    await site.follower.poll_once()
    assert site.endpoint.asked[-1] == "the-damaged-one"
    assert site.plans == []
    assert site.follower.held is not None
    assert site.follower.held.plan.generation == 3


async def test_older_generation_is_refused(tmp_path: Path) -> None:
    site = make_site(tmp_path, held=document(3))
    site.endpoint.script.append(sent(2))
    assert await site.follower.poll_once() is Polled.REFUSED
    assert "generation 2 is older than 3" in site.follower.control.refused


async def test_plan_for_a_newer_agent_is_refused(site: Site) -> None:
    site.endpoint.script.append(sent(4, min_agent="99.0.0"))
    assert await site.follower.poll_once() is Polled.REFUSED
    assert "needs agent 99.0.0" in site.follower.control.refused


async def test_good_plan_ends_the_refusal(site: Site) -> None:
    site.endpoint.script += [sent(4, min_agent="99.0.0"), sent(5)]
    await site.follower.poll_once()
    await site.follower.poll_once()
    assert site.follower.control.refused == ""
    assert [held.plan.generation for held in site.plans] == [5]
    # So that it can be seen how far this device is behind.
    assert site.follower.control.offered == 5


async def test_plan_that_is_held_already_is_no_news(tmp_path: Path) -> None:
    site = make_site(tmp_path, held=document(3))
    site.endpoint.script.append(sent(3))
    assert await site.follower.poll_once() is Polled.NOTHING
    assert site.plans == []


async def test_plan_that_can_not_be_written_is_asked_for_again(tmp_path: Path) -> None:
    site = make_site(tmp_path, held=document(3))
    (Paths(tmp_path).plans / "b.json").mkdir()
    site.endpoint.script += [sent(4), sent(4)]
    assert await site.follower.poll_once() is Polled.NOT_KEPT
    await site.follower.poll_once()
    assert site.endpoint.asked[0] == site.endpoint.asked[1]
    assert "b.json" in site.follower.control.refused


async def test_device_without_a_node_is_connected_and_says_why(site: Site) -> None:
    site.endpoint.script.append(RefusedError(PLAN_NONE, "apply a Node"))
    await site.run_until(lambda: site.follower.control.connected)
    assert site.follower.control.refused == "apply a Node"


async def test_offline_past_the_certificates_end_says_what_to_do(site: Site) -> None:
    site.clock.seconds = timedelta(days=91).total_seconds()
    site.endpoint.script.append(UnreachableError("the endpoint closed the connection"))
    await site.run_until(lambda: bool(site.follower.control.error))
    assert site.follower.control.error.startswith(
        "the endpoint closed the connection. This device's certificate"
    )
    assert "run `orillo enroll TOKEN`" in site.follower.control.error


async def test_offline_is_one_line_and_back_is_one(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site.endpoint.script += [UnreachableError("no way there")] * 8 + [sent(3)]
    await site.run_until(lambda: bool(site.plans) and site.follower.control.connected)
    lines = [r.getMessage() for r in caplog.records if "control endpoint" in r.getMessage()]
    assert lines == [
        "control endpoint: offline, going on with no plan: no way there",
        "control endpoint: back",
    ]
    assert site.clock.pauses[:8] == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_state_tells_since_when(site: Site) -> None:
    site.endpoint.script += [None, UnreachableError("gone"), UnreachableError("gone")]
    await site.run_until(lambda: not site.endpoint.script and bool(site.follower.control.error))
    control = site.follower.control
    assert not control.connected
    assert control.error == "gone"
    assert control.since is not None


async def test_first_poll_is_not_held_back_so_that_a_restarted_agent_knows_at_once(site: Site) -> None:
    site.endpoint.script += [None, None, UnreachableError("gone"), None, None]
    await site.run_until(lambda: len(site.endpoint.waits) > 5)
    assert site.endpoint.waits[:6] == [0, 30, 30, 0, 30, 30]


async def test_wake_ends_the_back_off() -> None:
    """With the loop's own clock: a pause of half an hour is over at once."""
    timing, woken = Timing(), asyncio.Event()
    pause = asyncio.ensure_future(timing.pause(woken, 1800))
    await asyncio.sleep(0)
    woken.set()
    await asyncio.wait_for(pause, 5)


async def test_endpoint_that_answers_at_once_does_not_make_it_spin(site: Site) -> None:
    site.endpoint.script += [None] * 5
    await site.run_until(lambda: not site.endpoint.script)
    assert site.clock.pauses.count(1.0) >= 4


async def test_endpoint_is_closed_at_the_end(site: Site) -> None:
    await site.run_until(lambda: bool(site.endpoint.asked))
    assert site.endpoint.closed


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (50, 30), (5000, 30)]
)
def test_back_off_doubles_up_to_half_a_minute(failures: int, longest: float) -> None:
    assert back_off(failures, 0.0) == longest
    assert max(1.0, longest / 2) <= back_off(failures, 0.999) <= longest


NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def trusting(*keys: dict[str, str], ca: str = "ca") -> Trust:
    return Trust(ca=(ca,), plan_keys={name: value for each in keys for name, value in each.items()})


async def test_trust_of_a_plan_is_believed_at_once(tmp_path: Path) -> None:
    """Keys change in phases: both are trusted, the new one signs, the old one is dropped."""
    site = make_site(tmp_path)
    phases = (
        sign(plan_of(3, trust=trusting(plan_keys(), plan_keys(NEW_KEY), ca="two CAs")), KEY),
        sign(plan_of(4, trust=trusting(plan_keys(NEW_KEY))), NEW_KEY),
    )
    site.endpoint.script += [Sent(body, str(number)) for number, body in enumerate(phases)]
    for _ in phases:
        assert await site.follower.poll_once() is Polled.PLAN
        await site.follower.believe_the_plan()
    device = load_identity(Paths(tmp_path))
    assert device is not None
    assert device.plan_keys == plan_keys(NEW_KEY)
    assert device.ca.read_text() == "ca"
    assert device.key.read_bytes() == b"key"
    # What the old key signed is now nobody's word.
    site.endpoint.script.append(Sent(document(5), "of the old key"))
    assert await site.follower.poll_once() is Polled.REFUSED


async def test_trust_that_leaves_out_the_key_that_signed_it_is_not_taken_over(tmp_path: Path) -> None:
    """The plan itself could not be read again after a reboot."""
    site = make_site(tmp_path)
    site.endpoint.script.append(Sent(document(3, trust=trusting(plan_keys(NEW_KEY))), "3"))
    assert await site.follower.poll_once() is Polled.PLAN
    await site.follower.believe_the_plan()
    device = load_identity(Paths(tmp_path))
    assert device is not None
    assert device.plan_keys == plan_keys()


async def test_node_that_is_gone_is_not_the_plans_fault(site: Site) -> None:
    site.endpoint.script += [RefusedError(PLAN_NONE, "no Node of this name"), sent(3)]
    await site.follower.poll_once()
    assert site.follower.disowned
    await site.follower.poll_once()
    assert not site.follower.disowned
