# SPDX-License-Identifier: Apache-2.0
"""The agent's own examination: cheap all day, deep while something is wrong, and never for a flicker."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from appliance.checks.all import CHECKS, examine
from appliance.checks.box import Agent, Box, Check, OnDisk
from appliance.checks.watch import Watch
from appliance.netcore.health.kind import Finding
from appliance.paths import Paths
from appliance.status.model import Control, Snapshot, State
from tests.unit.status.snapshots import healthy

OFFLINE = Control(url="https://203.0.113.1:443", error="it does not answer in time")


class Stage:
    """A device whose state and clock the test sets, and which counts how deeply it is looked at."""

    def __init__(self, root: Path) -> None:
        self.snapshot = healthy()
        self.now = 1000.0
        self.found: list[Finding] = []
        self.looks: list[int] = []
        self.told = 0
        self.watch = Watch(Paths(root), self._look, self._tell, lambda: self.now, run=self._examine)

    def _look(self) -> tuple[Snapshot, OnDisk]:
        return self.snapshot, OnDisk()

    def _tell(self) -> None:
        self.told += 1

    async def _examine(self, _box: Box, checks: Sequence[Check]) -> Sequence[Finding]:
        self.looks.append(len(checks))
        return self.found

    async def at(self, seconds: float) -> list[str]:
        """One step at that time; the conditions after it."""
        self.now = 1000.0 + seconds
        await self.watch.step()
        return [condition.code for condition in self.watch.board.conditions]


async def test_healthy_device_is_looked_at_cheaply_and_seldom(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    for second in range(0, 180, 3):
        assert await stage.at(second) == []
    assert len(stage.looks) == 3
    assert max(stage.looks) < len(CHECKS)


async def test_trouble_is_looked_into_once_it_has_settled(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    await stage.at(0)
    stage.snapshot = replace(healthy(), control=OFFLINE)
    await stage.at(3)
    assert len(CHECKS) not in stage.looks
    await stage.at(8)
    await stage.at(11)
    assert stage.looks.count(len(CHECKS)) == 1


async def test_new_plan_is_looked_at_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    await stage.at(0)
    stage.snapshot = replace(healthy(), generation=13)
    await stage.at(1)
    assert len(stage.looks) == 2


async def test_the_first_pass_is_followed_by_a_look(tmp_path: Path) -> None:
    """What was seen before that is of no use: a start showed a fault for as long as it was remembered."""
    stage = Stage(tmp_path)
    stage.snapshot = replace(healthy(), tables={})
    await stage.at(0)
    stage.snapshot = healthy()
    await stage.at(3)
    assert len(stage.looks) == 2


async def test_who_is_enrolled_now_is_not_called_otherwise(tmp_path: Path) -> None:
    """The line on a console said `device in lab, degraded: not-enrolled`."""
    stage = Stage(tmp_path)
    stage.snapshot = replace(healthy(), identity=None, state=State.UNENROLLED)
    stage.found = [Finding("not-enrolled")]
    assert await stage.at(0) == ["not-enrolled"]
    assert await stage.at(9) == ["not-enrolled"]
    # It has not been heard of since, so that what was found before is not done with.
    stage.snapshot, stage.found = replace(healthy(), control=OFFLINE), []
    assert "not-enrolled" not in await stage.at(12)


async def test_change_of_conditions_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.found = [Finding("not-enrolled")]
    assert await stage.at(0) == ["not-enrolled"]
    await stage.at(3)
    assert stage.told == 1


async def test_fault_in_a_check_is_a_finding(tmp_path: Path) -> None:
    async def broken(_box: Box) -> list[Finding]:
        raise ValueError("of ours")

    box = Box(Paths(tmp_path), OnDisk(), Agent(), ())
    (finding,) = await examine(box, [Check("broken", ("broken", "broken"), broken)])
    assert finding.code == "check-unfinished"
    assert "of ours" in finding.evidence
