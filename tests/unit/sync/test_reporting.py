# SPDX-License-Identifier: Apache-2.0
"""When a report goes out."""

from datetime import timedelta

import msgspec

from appliance.netcore.plan.exchange import Report, TunnelState
from appliance.sync.errors import UnreachableError
from appliance.sync.reporting import Reporter
from appliance.sync.timing import Timing
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import START


class Desk:
    """Where reports arrive, and the report that is true at present."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.arrived: list[Report] = []
        self.closed = False
        self.now = Report(identity=SHOP1, agent="0.1.0", at=START, generation=3, digest="d", ipsec="libipsec")
        timing = Timing(monotonic=lambda: self.seconds)
        self.reporter = Reporter(self.report, self.send, timing)

    def report(self) -> Report:
        return msgspec.structs.replace(self.now, at=START + timedelta(seconds=self.seconds))

    async def send(self, report: Report) -> None:
        if self.closed:
            raise UnreachableError("closed")
        self.arrived.append(report)

    def measure(self, rtt: float, *, up: bool = True) -> None:
        tunnel = TunnelState(up=up, rtt=rtt)
        self.now = msgspec.structs.replace(self.now, tunnels={"connector-1": tunnel})


async def test_first_report_goes_out() -> None:
    desk = Desk()
    assert await desk.reporter.send_if_due()
    assert len(desk.arrived) == 1


async def test_same_again_waits_for_its_minute() -> None:
    desk = Desk()
    await desk.reporter.send_if_due()
    desk.seconds = 59
    assert not await desk.reporter.send_if_due()
    desk.seconds = 60
    assert await desk.reporter.send_if_due()
    assert len(desk.arrived) == 2


async def test_change_goes_out() -> None:
    desk = Desk()
    desk.measure(0.010)
    await desk.reporter.send_if_due()
    desk.measure(0.010, up=False)
    assert await desk.reporter.send_if_due()
    assert not desk.arrived[-1].tunnels["connector-1"].up


async def test_another_round_trip_time_is_no_change() -> None:
    desk = Desk()
    desk.measure(0.010)
    await desk.reporter.send_if_due()
    desk.measure(0.011)
    assert not await desk.reporter.send_if_due()


async def test_report_that_was_not_taken_goes_out_again() -> None:
    desk = Desk()
    desk.closed = True
    assert await desk.reporter.send_if_due()
    desk.closed = False
    assert await desk.reporter.send_if_due()
    assert len(desk.arrived) == 1
