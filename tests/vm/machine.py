# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: QEMU without hardware help, in a namespace of the run."""

import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.command import LabError, Result, attempt, run
from tests.lab.process import Process
from tests.lab.wait import until
from tests.vm.channel import Channel
from tests.vm.guest import Guest

_MIB = 1024 * 1024
_KINDS = {
    "amd64": ("qemu-system-x86_64", "-M", "q35", "-cpu", "Westmere", "-nodefaults"),
    "arm64": ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-nodefaults"),
}
_CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
_KERNEL_OPTIONS = "quiet net.ifnames=0 panic=-1 systemd.show_status=0 systemd.journald.forward_to_console=1"
#: The emulation is slow, and others use the processors too.
BOOT = 300.0
CALL = 600.0


@dataclass(frozen=True)
class Nic:
    """A network card. `tap` is made in the machine's namespace and put into a bridge of it."""

    tap: str
    bridge: str
    mac: str


@dataclass
class Machine:
    """A machine called `name`. `files` are at /media/vm in it; `keeps` MiB on disk survive its end."""

    name: str
    guest: Guest
    ns: str
    workdir: Path
    nics: tuple[Nic, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    memory: int = 512
    keeps: int = 0
    #: Off, there is one thing less to load; on, Debian's profiles confine charon and unbound.
    apparmor: bool = False
    process: Process | None = None

    def __post_init__(self) -> None:
        self.workdir.mkdir(parents=True, exist_ok=True)
        self._channel = Channel(self.workdir / "shell.sock")

    @property
    def console(self) -> Path:
        """All that it says on its serial line, its journal among it."""
        return self.workdir / "console.log"

    @property
    def disk(self) -> Path:
        """What it has written, if it keeps that."""
        return self.workdir / "keeps.ext4"

    def power_on(self) -> None:
        """Start it; `wait` waits for it."""
        self._pack_files()
        if self.keeps and not self.disk.exists():
            run("mke2fs", "-q", "-F", "-t", "ext4", str(self.disk), f"{self.keeps}M", timeout=60)
        for nic in self.nics:
            if not attempt("ip", "-n", self.ns, "link", "show", nic.tap).ok:
                run("ip", "-n", self.ns, "tuntap", "add", nic.tap, "mode", "tap")
            run("ip", "-n", self.ns, "link", "set", nic.tap, "master", nic.bridge, "up")
        self.process = Process(self._command(), self.workdir / "qemu.log", ns=self.ns)
        until((self.workdir / "shell.sock").exists, f"QEMU of {self.name}", 20, explain=self._last_words)

    def wait(self, seconds: float = BOOT) -> None:
        """Wait until it takes commands."""
        try:
            self._channel.open(seconds)
        except LabError as error:
            raise LabError(f"{self.name}: {error}; its last words: {self._last_words()}") from error

    def power_off(self) -> None:
        """Pull its plug."""
        self._channel.close()
        if self.process is not None:
            self.process.stop(signal.SIGKILL)
        (self.workdir / "shell.sock").unlink(missing_ok=True)

    def call(self, *argv: str, feed: str = "", timeout: float = CALL) -> Result:
        """Run a command in it whose failure is an answer."""
        return self._channel.call(argv, feed, timeout)

    def run(self, *argv: str, feed: str = "", timeout: float = CALL) -> str:
        """Run a command in it that has to succeed; returns its output."""
        return _expect(self.name, " ".join(argv), self.call(*argv, feed=feed, timeout=timeout))

    def script(self, text: str, timeout: float = CALL) -> str:
        """Run a shell script in it that has to succeed; returns its output."""
        return _expect(self.name, text, self._channel.script(f"set -e\n{text}", timeout))

    def _pack_files(self) -> None:
        tree = self.workdir / "files"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for name, source in self.files.items():
            if source.is_dir():
                # A link stays one: the launcher finds its programs by where its link leads.
                shutil.copytree(source, tree / name, symlinks=True)
            else:
                shutil.copy(source, tree / name)
        packed = self.workdir / "files.squashfs"
        packed.unlink(missing_ok=True)
        run("mksquashfs", str(tree), str(packed), "-comp", "lz4", "-quiet", "-no-progress", timeout=120)
        shutil.rmtree(tree)

    def _command(self) -> list[str]:
        kind = self.guest.architecture
        options = ("vm.keeps " if self.keeps else "") + ("" if self.apparmor else "apparmor=0 ")
        words = [*_KINDS[kind], "-smp", "1", "-m", str(self.memory), "-display", "none", "-no-reboot"]
        words += ["-accel", "tcg,thread=multi", "-kernel", str(self.guest.kernel)]
        words += ["-initrd", str(self.guest.initrd)]
        words += [
            "-append",
            f"{options}console={_CONSOLES[kind]} quiet net.ifnames=0 panic=-1 systemd.show_status=0",
        ]
        words += ["-serial", f"file:{self.console}", "-device", "virtio-rng-pci"]
        words += ["-device", "virtio-serial-pci"]
        words += ["-chardev", f"socket,id=shell,path={self.workdir}/shell.sock,server=on,wait=off"]
        words += ["-device", "virtserialport,chardev=shell,name=orillo.shell"]
        words += _drive("root", self.guest.root, "on") + _drive(
            "files", self.workdir / "files.squashfs", "on"
        )
        if self.keeps:
            words += _drive("keeps", self.disk, "off")
        for number, nic in enumerate(self.nics):
            words += ["-netdev", f"tap,id=n{number},ifname={nic.tap},script=no,downscript=no"]
            words += ["-device", f"virtio-net-pci,netdev=n{number},mac={nic.mac},romfile="]
        return words

    def _last_words(self) -> str:
        said = self.process.output() if self.process else ""
        console = self.console.read_text(errors="replace") if self.console.exists() else ""
        return (said + console).strip()[-600:]


def _drive(name: str, file: Path, read_only: str) -> list[str]:
    drive = f"file={file},format=raw,if=none,id={name},read-only={read_only},file.locking=off"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}"]


def _expect(name: str, what: str, result: Result) -> str:
    if not result.ok:
        raise LabError(f"{name}: `{what}` ended with {result.code}: {result.text}")
    return result.out
