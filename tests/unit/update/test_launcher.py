# SPDX-License-Identifier: Apache-2.0
"""`orillo-launch`: which release becomes what was called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.update.launcher import install, launch, whole
from tests.unit.update.made import script

#: Programs that the launcher calls between its own steps; each of them may be the last one before a cut.
STEPS = ("mkdir", "mv", "rm", "sync")


def add(root: Path, version: str, program: bytes | None = None) -> Path:
    place = root / "var/lib/orillo/releases" / version
    (place / "lib").mkdir(parents=True)
    (place / "lib/part").write_text(f"part of {version}")
    (place / "orillo").write_bytes(program or script(version))
    (place / "orillo").chmod(0o755)
    return place


def point(root: Path, name: str, version: str) -> None:
    (root / "var/lib/orillo/releases" / name).symlink_to(version)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path)
    return tmp_path


@pytest.fixture
def on_trial(root: Path) -> Path:
    """1.0 proved itself, 2.0 has not yet."""
    add(root, "1.0")
    add(root, "2.0")
    point(root, "current", "1.0")
    point(root, "trial", "2.0")
    return root


def test_a_copy_of_it_in_the_commands_place_says_so_and_ends(root: Path) -> None:
    """Somebody copied what should be a link: it found itself beside itself, and became itself for ever."""
    command = root / "usr/bin/orillo"
    command.parent.mkdir()
    shutil.copy(root / "usr/lib/orillo/orillo-launch", command)
    done = subprocess.run([command, "version"], capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 3
    assert "not a link" in done.stderr
    command.unlink()
    command.symlink_to("../lib/orillo/orillo-launch")
    assert subprocess.run([command, "--root", str(root)], check=False, timeout=10).returncode == 0


def test_without_releases_the_package_runs(root: Path) -> None:
    assert launch(root) == launch(root, "status") == whole("package")
    assert not (root / "var").exists()


def test_only_run_takes_the_one_on_trial_and_only_three_times(on_trial: Path) -> None:
    assert launch(on_trial, "status") == whole("1.0")
    assert launch(on_trial, "daemon", "charon") == whole("1.0")
    assert [launch(on_trial) for _ in range(5)] == [whole("2.0")] * 3 + [whole("1.0")] * 2
    releases = on_trial / "var/lib/orillo/releases"
    assert (releases / "undone").read_text().startswith("2.0 it ended 3 times")
    assert not (releases / "trial").is_symlink()


def test_ready_agent_on_trial_is_not_confirmed_by_that(on_trial: Path) -> None:
    launch(on_trial)
    assert launch(on_trial, "--ready") == ""
    launch(on_trial)
    launch(on_trial)
    assert launch(on_trial) == whole("1.0")


@pytest.mark.parametrize(
    "program", [b"\x7fELF nonsense", b"#!/nonexistent\n", b""], ids=["elf", "script", "empty"]
)
def test_what_can_not_even_start_is_undone(root: Path, program: bytes) -> None:
    add(root, "2.0", program or b"#!/bin/sh\nexit 1\n")
    point(root, "trial", "2.0")
    assert [launch(root) for _ in range(4)] == ["", "", "", whole("package")]


def test_current_one_that_never_comes_up_gives_way_to_the_package(root: Path) -> None:
    add(root, "1.0", b"#!/bin/sh\nexit 1\n")
    point(root, "current", "1.0")
    assert [launch(root) for _ in range(6)] == [""] * 5 + [whole("package")]
    # The fault may be elsewhere: once anything came up, the next start tries it again.
    launch(root, "--ready")
    assert launch(root) == ""


def test_current_one_that_comes_up_stays(root: Path) -> None:
    add(root, "1.0")
    point(root, "current", "1.0")
    for _ in range(12):
        assert launch(root) == whole("1.0")
        launch(root, "--ready")


@pytest.mark.parametrize("target", ["/bin", "../../../../usr/lib/orillo", "3.0", "."])
def test_link_that_is_no_release_is_none(root: Path, target: str) -> None:
    (root / "var/lib/orillo/releases").mkdir(parents=True)
    point(root, "current", target)
    point(root, "trial", target)
    assert launch(root) == whole("package")


@pytest.mark.parametrize("text", ["", "2.0", "2.0 x", "\x00\xff", "1.0 7", "2.0 -1"])
def test_damaged_count_begins_anew(on_trial: Path, text: str) -> None:
    (on_trial / "var/lib/orillo/releases/starts").write_text(text)
    assert launch(on_trial) == whole("2.0")
    assert (on_trial / "var/lib/orillo/releases/starts").read_text() == "2.0 1\n"


def test_disk_that_can_not_be_written_tries_nothing(on_trial: Path) -> None:
    """What can't be counted could be tried for ever. A directory stands in its way here."""
    (on_trial / "var/lib/orillo/releases/.starts").mkdir()
    assert launch(on_trial) == whole("1.0")


def test_agent_is_told_and_noted(root: Path) -> None:
    add(root, "1.0", b'#!/bin/sh\necho "$ORILLO_RELEASE $$"\n')
    point(root, "current", "1.0")
    name, pid = launch(root).split()
    assert (root / "run/orillo/agent.pid").read_text() == f"{pid} {name}\n"
    assert name == "1.0"


def test_link_on_the_path_finds_its_own_home(root: Path) -> None:
    link = root / "orillo"
    link.symlink_to(root / "usr/lib/orillo/orillo-launch")
    done = subprocess.run([link, f"--root={root}", "version"], capture_output=True, text=True, check=True)
    assert done.stdout == "orillo package\n"


@pytest.mark.parametrize("at", range(1, 9))
def test_launcher_itself_is_cut_at_any_step(
    on_trial: Path, tmp_path_factory: pytest.TempPathFactory, at: int
) -> None:
    """The `at`-th program that it calls never runs, nor anything after it: as if the power went."""
    tools = tmp_path_factory.mktemp("tools")
    for name in STEPS:
        path = tools / name
        path.write_text(
            "#!/bin/sh\n"
            f'echo >>"{tools}/count"; [ "$(wc -l <"{tools}/count")" -ne {at} ] || kill -9 $PPID\n'
            f'exec /usr/bin/{name} "$@"\n'
        )
        path.chmod(0o755)
    cut = {**os.environ, "PATH": f"{tools}:/usr/bin:/bin"}
    seen = [launch(on_trial, env=cut) for _ in range(4)]
    seen += [launch(on_trial) for _ in range(4)]
    assert set(seen) <= {"", whole("1.0"), whole("2.0")}
    assert seen.count("") <= 1
    assert seen.count(whole("2.0")) <= 3
    assert seen[-1] == whole("1.0")
