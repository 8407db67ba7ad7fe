# SPDX-License-Identifier: Apache-2.0
"""A flashed card in a machine: the disk image itself, started by its own boot loader.

Nothing of the test is in it: commands go through the login on its serial line, as a technician's would.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command import LabError, Result, attempt, run
from tests.lab.process import Process
from tests.lab.wait import until
from tests.vm.machine import CALL, Nic
from tests.vm.serial import Serial

_FIRMWARE = {
    "amd64": ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    "arm64": ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
}
_KINDS = {
    "amd64": ("qemu-system-x86_64", "-M", "q35", "-cpu", "Westmere"),
    "arm64": ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57"),
}
_SECTOR = 512
_NAMED = os.environ.get("ORILLO_IMAGE", "")
#: What `./dev image test` made, if it calls.
IMAGE = Path(_NAMED)
HAS_IMAGE = bool(_NAMED)
ARCHITECTURE = os.environ.get("ORILLO_IMAGE_ARCH", "amd64")
needs_image = pytest.mark.skipif(not HAS_IMAGE, reason="./dev image test makes the image that this needs")
#: With firmware, boot loader and first boot, on processors that others use too.
BOOT = 600.0


@dataclass
class Card:
    """A card flashed with `image` in a machine of its own, with a network card and a screen.

    `others` are further network cards. `size` is the card's in MiB. `password` is what the console asks for;
    it is set by `configure`.
    """

    name: str
    architecture: str
    image: Path
    ns: str
    workdir: Path
    nic: Nic
    size: int = 2048
    memory: int = 1024
    password: str = "only for the lab"  # noqa: S105
    others: tuple[Nic, ...] = ()
    process: Process | None = None

    def __post_init__(self) -> None:
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.serial = Serial(self.workdir / "serial.sock", self.workdir / "serial.log")

    @property
    def disk(self) -> Path:
        return self.workdir / "card.img"

    def flash(self) -> None:
        """Write the image to a new card, which is larger than it."""
        run("cp", "--sparse=always", str(self.image), str(self.disk), timeout=120)
        run("truncate", "-s", f"{self.size}M", str(self.disk))
        shutil.copyfile(_FIRMWARE[self.architecture][1], self.workdir / "variables.fd")

    @property
    def password_hash(self) -> str:
        """As `orillo.toml` wants it (crypt(5))."""
        return run("openssl", "passwd", "-6", "-salt", "lab", self.password).strip()

    def configure(self, text: str) -> None:
        """Write `orillo.toml`, with a password for the console, as any laptop can."""
        self.put("orillo.toml", f'{text}\n[console]\npassword_hash = "{self.password_hash}"\n')

    def put(self, name: str, text: str, partition: str = "boot-config") -> None:
        """Write a file to one of the card's FAT partitions, while it is out of the machine."""
        file = self.workdir / Path(name).name
        file.write_text(text)
        place = f"{self.disk}@@{self._start_of(partition)}"
        run("mcopy", "-o", "-i", place, str(file), f"::{name}")

    def on_card(self, partition: str, name: str) -> bytes:
        """A file of one of the card's FAT partitions, read while it is out of the machine."""
        place = f"{self.disk}@@{self._start_of(partition)}"
        return subprocess.run(["mtype", "-i", place, f"::{name}"], capture_output=True, check=True).stdout

    def raw(self, partition: str) -> bytes:
        """All bytes of a partition, to look for what must not be in it."""
        with self.disk.open("rb") as disk:
            disk.seek(self._start_of(partition))
            return disk.read(self._size_of(partition))

    def power_on(self) -> None:
        """Start it; what it says comes on `serial`."""
        for nic in self._nics:
            if not attempt("ip", "-n", self.ns, "link", "show", nic.tap).ok:
                run("ip", "-n", self.ns, "tuntap", "add", nic.tap, "mode", "tap")
            run("ip", "-n", self.ns, "link", "set", nic.tap, "master", nic.bridge, "up")
        self.process = Process(self._command(), self.workdir / "qemu.log", ns=self.ns)
        self.serial.open()

    def power_off(self) -> None:
        """Pull its plug."""
        if self.process is not None:
            self.process.stop(signal.SIGKILL)
        self.serial.close()
        for name in ("serial.sock", "monitor.sock"):
            (self.workdir / name).unlink(missing_ok=True)

    def carrier(self, nic: Nic, *, on: bool) -> None:
        """Plug the cable of one of its network cards in or out."""
        self._monitor(f"set_link n{self._nics.index(nic)} {'on' if on else 'off'}")

    def screen(self, picture: Path) -> Path:
        """What its screen shows, as a PNG."""
        picture.unlink(missing_ok=True)
        self._monitor(f"screendump {picture} -f png")
        until(lambda: picture.exists() and picture.stat().st_size > 0, "the screen is a file", 20)
        return picture

    def log_in(self, seconds: float = BOOT) -> None:
        """Through the terminal to a shell."""
        self.serial.log_in(self.password, seconds)

    def call(self, *argv: str, feed: str = "", timeout: float = CALL) -> Result:
        """Run a command in it whose failure is an answer."""
        script = shlex.join(argv)
        if feed:
            script = f"{script} <<'END-OF-FEED'\n{feed}\nEND-OF-FEED\n"
        return self.serial.call(script, timeout)

    def run(self, *argv: str, feed: str = "", timeout: float = CALL) -> str:
        """Run a command in it that has to succeed; returns its output."""
        return _expect(self.name, shlex.join(argv), self.call(*argv, feed=feed, timeout=timeout))

    def script(self, text: str, timeout: float = CALL) -> str:
        """Run a shell script in it that has to succeed; returns its output."""
        return _expect(self.name, text, self.serial.call(f"set -e\n{text}", timeout))

    def enroll(self, token: str, seconds: float = BOOT) -> None:
        """Give it a token at its console, which starts anew once there is an identity. Raises `LabError`."""
        self.serial.send(f"echo {token} | orillo enroll -\r")
        said = self.serial.expect(r"l to log in|orillo: [^\r\n]*[\r\n]", seconds)
        if said.startswith("orillo:"):
            raise LabError(f"{self.name}: {said.strip()}")
        self.serial.send("l")
        self.serial.give(self.password, seconds)

    def status(self) -> dict[str, Any]:
        """What its agent says of itself; empty while it does not answer."""
        # Its exit status tells the health, and is no failure.
        said = self.call("orillo", "status", "-o", "json").out
        return dict(json.loads(said)) if said.strip() else {}

    def tunnel_up(self) -> bool:
        """Whether a tunnel of it carries something, as its own agent sees it."""
        return any(one["up"] for one in self.status().get("tunnels", {}).values())

    @property
    def _nics(self) -> tuple[Nic, ...]:
        return (self.nic, *self.others)

    def _monitor(self, command: str) -> None:
        """Say something to QEMU itself, and wait until it has done it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(20)
            line.connect(str(self.workdir / "monitor.sock"))
            line.sendall(f"{command}\n".encode())
            heard = b""
            # A prompt before the command, and one after it.
            while heard.count(b"(qemu)") < 2:
                heard += line.recv(4096)

    def _command(self) -> list[str]:
        code, _ = _FIRMWARE[self.architecture]
        pflash = "if=pflash,format=raw,file.locking=off"
        return [
            *_KINDS[self.architecture],
            *("-nodefaults", "-smp", "2", "-m", str(self.memory), "-display", "none"),
            *("-accel", "tcg,thread=multi"),
            *("-drive", f"{pflash},readonly=on,file={code}"),
            *("-drive", f"{pflash},file={self.workdir / 'variables.fd'}"),
            *("-drive", f"file={self.disk},format=raw,if=none,id=card,file.locking=off"),
            *("-device", "virtio-blk-pci,drive=card"),
            *("-device", "virtio-rng-pci"),
            *("-serial", f"unix:{self.workdir / 'serial.sock'},server=on,wait=off"),
            *("-monitor", f"unix:{self.workdir / 'monitor.sock'},server=on,wait=off"),
            *("-device", "VGA,vgamem_mb=16" if self.architecture == "amd64" else "ramfb"),
            *(word for number, nic in enumerate(self._nics) for word in _plugged(number, nic)),
        ]

    def _start_of(self, label: str) -> int:
        return int(self._row(label)["start"]) * _SECTOR

    def _size_of(self, label: str) -> int:
        return int(self._row(label)["size"]) * _SECTOR

    def _row(self, label: str) -> dict[str, int]:
        table = json.loads(run("sfdisk", "--json", str(self.disk)))["partitiontable"]["partitions"]
        row: dict[str, int] = next(row for row in table if row["name"] == label)
        return row


def _plugged(number: int, nic: Nic) -> tuple[str, ...]:
    return (
        *("-netdev", f"tap,id=n{number},ifname={nic.tap},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=n{number},mac={nic.mac},romfile="),
    )


def guest_seconds(card: Card) -> dict[str, float]:
    """Where the boot's time went, in the guest's own seconds (systemd-analyze(1))."""
    said = card.run("systemd-analyze", "time")
    found = re.findall(r"(?:(\d+)min )?([\d.]+)s \((firmware|loader|kernel|userspace)\)", said)
    return {name: int(minutes or 0) * 60 + float(seconds) for minutes, seconds, name in found}


def _expect(name: str, what: str, result: Result) -> str:
    if not result.ok:
        raise LabError(f"{name}: {what.strip()[:200]} ended with {result.code}: {result.text[-600:]}")
    return result.out
