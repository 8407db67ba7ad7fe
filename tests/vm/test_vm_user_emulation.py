# SPDX-License-Identifier: Apache-2.0
"""The arm64 programs under qemu-user: what needs no netlink families that the emulation lacks."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.binary import compiled
from tests.bench.box import Box, make_box
from tests.bench.outcome import CannotMeasureError
from tests.lab.clean_root import CleanRoot, install, make_root
from tests.lab.command import attempt, run
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product
from tests.lab.wait import until
from tests.vm.guest import cache, guest

pytestmark = pytest.mark.lab

_NODE = "edge00000"


def build() -> Path:
    try:
        return compiled("arm64").parent
    except CannotMeasureError as error:
        pytest.skip(f"{error} --arch arm64")


@pytest.fixture(scope="module")
def root(ground: Namespaces) -> CleanRoot:
    """The machines' arm64 Debian, which has the daemons and no Python, with the programs in it."""
    programs = build()
    place = ground.workdir / "arm64"
    run("unsquashfs", "-q", "-no-progress", "-d", str(place), str(guest("arm64").root), timeout=300)
    shutil.copytree(programs, place / "usr/lib/orillo", symlinks=True)
    (place / "usr/bin/orillo").symlink_to("../lib/orillo/orillo")
    return CleanRoot(place)


@pytest.fixture(scope="module")
def bare(ground: Namespaces) -> CleanRoot:
    """An arm64 Debian of its essential packages alone, with the programs in it."""
    programs = build()
    return install(make_root(cache().parent / "roots", (), "arm64"), programs, ground.workdir / "bare")


@pytest.fixture(scope="module")
def operator(ground: Namespaces) -> Iterator[Box]:
    """A real operator, whose connector nobody starts."""
    box = make_box(ground, "box", Product().appliance, 1)
    yield box
    box.operator.stop()


def test_it_is_an_arm64_program_and_says_its_version(root: CleanRoot) -> None:
    program = root.path / "usr/lib/orillo/orillo"
    machine = int.from_bytes(program.read_bytes()[18:20], "little")
    assert machine == 183  # EM_AARCH64, elf(5)
    assert not list((root.path / "usr/bin").glob("python3*"))
    done = attempt(*root.program, "version", timeout=60)
    assert done.out.startswith("orillo "), done.text


def test_it_enrols(root: CleanRoot, operator: Box) -> None:
    inside = root.installation(operator.device.ns)
    enrolled = inside.call("enroll", "-", feed=operator.operator.token(_NODE) + "\n", timeout=180)
    assert enrolled.ok, enrolled.text
    assert f"enrolled as {_NODE}" in enrolled.out
    leaf = root.path / "var/lib/orillo/identity"
    assert (leaf / "key.pem").stat().st_mode & 0o077 == 0


def test_before_it_runs_its_status_and_its_doctor_say_so(root: CleanRoot, operator: Box) -> None:
    inside = root.installation(operator.device.ns)
    status = inside.call("status", timeout=60)
    assert (status.code, "orillo run" in status.text) == (3, True), status.text
    doctor = inside.call("doctor", "-o", "json", timeout=180)
    assert doctor.code == 1, doctor.text
    # The emulation carries no netlink of netfilter's, and the doctor sees that first.
    assert "kernel-lacks-nftables" in doctor.out


def test_where_nothing_is_each_verb_says_what_is_missing(bare: CleanRoot, operator: Box) -> None:
    assert not list((bare.path / "usr/bin").glob("python3*"))
    inside = bare.installation(operator.device.ns)
    assert inside.call("version", timeout=60).out.startswith("orillo ")
    assert inside.call("status", timeout=60).code == 3
    enrolled = inside.call("enroll", "-", feed=operator.operator.token(_NODE) + "\n", timeout=180)
    assert enrolled.ok, enrolled.text
    for words, package in (
        (("run",), "iproute2"),
        (("daemon", "charon"), "iproute2"),
        (("daemon", "dns"), "unbound"),
    ):
        refused = inside.call(*words, timeout=120)
        assert (refused.code, f"apt-get install {package}" in refused.err) == (3, True), refused.text


def test_its_terminal_draws_itself(root: CleanRoot, ground: Namespaces) -> None:
    """In a terminal emulator of 80 by 24, from the recording that comes with it."""
    tmux = ("tmux", "-L", ground.prefix, "-f", "/dev/null")
    run(*tmux, "new-session", "-d", "-x", "80", "-y", "24", *root.program, "tui", "--demo")
    try:
        for key, title in (("", "Overview"), ("2", "Tunnels"), ("9", "Doctor")):
            if key:
                run(*tmux, "send-keys", key)
            see(tmux, title)
    finally:
        attempt(*tmux, "kill-server")


def see(tmux: tuple[str, ...], title: str) -> None:
    """Wait until the first line of the screen has this."""
    until(lambda: title in shown(tmux).partition("\n")[0], title, 120, 1, lambda: shown(tmux))


def shown(tmux: tuple[str, ...]) -> str:
    return attempt(*tmux, "capture-pane", "-p").out
