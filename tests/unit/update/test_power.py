# SPDX-License-Identifier: Apache-2.0
"""The power goes at any instant: what starts then is a whole release, the old one unless the new one stayed.

The steps on the disk are those of a disk that loses what was not synced; what a boot finds is then started by
the real launcher.
"""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.trial import Sign
from appliance.update.releases import Releases
from tests.fakes.disk import FakeDisk, PowerLoss
from tests.unit.update.launcher import install, launch, whole
from tests.unit.update.made import files, manifest

STATE = Path("/state")
PLACE = STATE / "releases"
SIGNS = frozenset({Sign.AGENT, Sign.CONTROL})
SEEDS = st.integers(0, 1 << 30)
QUICKLY = settings(
    max_examples=int(os.environ.get("ORILLO_CUTS", "12")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def put(releases: Releases, version: str) -> None:
    releases.install(manifest(version), f'{{"version": "{version}"}}'.encode(), files(version))


def update(releases: Releases) -> None:
    put(releases, "2.0")
    releases.begin("2.0", SIGNS)


def updated_and_kept(releases: Releases) -> None:
    update(releases)
    releases.keep()


def updated_and_undone(releases: Releases) -> None:
    update(releases)
    releases.undo("it cost this device the hub")


def settled(*, current: bool) -> FakeDisk:
    """Before the update: release 1.0 proved itself, or there is the package alone."""
    disk = FakeDisk(STATE)
    disk.make_directory(PLACE)
    if current:
        releases = Releases(PLACE, disk)  # type: ignore[arg-type]
        put(releases, "1.0")
        releases.begin("1.0", SIGNS)
        releases.keep()
    disk.settle()
    return disk


def steps_of(story: Callable[[Releases], None], *, current: bool) -> int:
    disk = settled(current=current)
    before = disk.steps
    story(Releases(PLACE, disk))  # type: ignore[arg-type]
    return disk.steps - before


def boot(disk: FakeDisk, times: int = 5) -> list[str]:
    """What starts, each time that nothing is confirmed."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        install(root)
        disk.materialise(root / "var/lib/orillo")
        return [launch(root) for _ in range(times)]


STORIES = (update, updated_and_kept, updated_and_undone)


@pytest.mark.parametrize("current", [False, True], ids=["package", "release"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@QUICKLY
@given(at=st.floats(0, 1), seed=SEEDS)
def test_whatever_a_boot_finds_starts(
    story: Callable[[Releases], None], *, current: bool, at: float, seed: int
) -> None:
    old = whole("1.0") if current else whole("package")
    disk = settled(current=current)
    disk.fails_at = disk.steps + int(at * steps_of(story, current=current))
    try:
        story(Releases(PLACE, disk))  # type: ignore[arg-type]
    except PowerLoss:
        disk.after_the_cut(random.Random(seed))
    started = boot(disk)
    assert set(started) <= {old, whole("2.0")}
    if story is updated_and_kept and started[-1] != old:
        assert set(started) == {whole("2.0")}
    else:
        # Never confirmed: at most three times, and then the old one for good.
        assert started.count(whole("2.0")) <= 3
        assert started[3:] == [old] * 2


@QUICKLY
@given(first=st.floats(0, 1), second=st.floats(0, 1), seed=SEEDS)
def test_second_update_after_a_cut_one_goes_through(first: float, second: float, seed: int) -> None:
    """Nothing that a cut leaves stands in the way of the next try, which may be cut too."""
    disk, chance = settled(current=True), random.Random(seed)
    for at in (first, second):
        disk.fails_at = disk.steps + int(at * steps_of(updated_and_kept, current=True))
        try:
            releases = Releases(PLACE, disk)  # type: ignore[arg-type]
            if releases.standing().trial:
                releases.undo("it was cut")
            if releases.standing().current != "2.0":
                updated_and_kept(releases)
        except PowerLoss:
            disk.after_the_cut(chance)
    disk.fails_at = None
    releases = Releases(PLACE, disk)  # type: ignore[arg-type]
    if releases.standing().trial:
        releases.keep()
    if releases.standing().current != "2.0":
        updated_and_kept(releases)
    assert boot(disk, 1) == [whole("2.0")]
    assert "1.0" in releases.standing().releases


def test_without_syncs_the_fake_loses_a_release() -> None:
    """The fake is mean enough to find what it is for."""

    class Careless(FakeDisk):
        def sync(self, path: Path) -> None:
            del path

    found = set()
    for seed in range(40):
        disk = Careless(STATE)
        disk.make_directory(PLACE)
        disk.settle()
        update(Releases(PLACE, disk))  # type: ignore[arg-type]
        disk.after_the_cut(random.Random(seed))
        found |= set(boot(disk, 1))
    assert not found <= {whole("package"), whole("2.0")}
