# SPDX-License-Identifier: Apache-2.0
"""Faults of the box: identity, clock, plan, daemons, disk, memory, kernel."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from appliance.cli import daemon_charon
from tests.bench.faults.fault import EDGE, Fault, Inject, nothing
from tests.lab.command import LabError, run
from tests.lab.demo import manifests
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.process import Process, environment
from tests.lab.wait import until

_LAUNCHER = Path(__file__).parents[3] / "packaging/debian/orillo-launch"


def killed(daemon: Daemon) -> Inject:
    """`kill -9` of one daemon, which nobody starts again until the end."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        device = world.devices[EDGE]
        device.kill(daemon)
        try:
            yield
        finally:
            device.start(daemon)

    return inject


def frozen(daemon: Daemon) -> Inject:
    """SIGSTOP: it is there and does nothing."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        pid = world.devices[EDGE].daemons[daemon].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return inject


_HOLDER = """
import socket, time
held = []
for port in (500, 4500):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::", port)); held.append(s)
print("ready", flush=True)
time.sleep(3600)
"""


@contextmanager
def ports_taken(world: World) -> Iterator[None]:
    """Another program has UDP 500 and 4500 when charon starts."""
    device = world.devices[EDGE]
    device.kill(Daemon.CHARON)
    holder = Process((sys.executable, "-c", _HOLDER), world.workdir / "holder.log", ns=device.ns)
    try:
        until(lambda: "ready" in holder.output(), "the ports are taken", 10)
        device.start(Daemon.CHARON)
        until((device.run_directory / "charon.vici").exists, "charon starts", 10)
        yield
    finally:
        holder.kill()
        device.kill(Daemon.CHARON)
        device.start(Daemon.CHARON)


@contextmanager
def kept(*files: Path) -> Iterator[None]:
    """Files that are put back as they were."""
    before = {file: file.read_bytes() for file in files}
    try:
        yield
    finally:
        for file, data in before.items():
            file.write_bytes(data)


def certificate_of(begins: timedelta, ends: timedelta) -> Inject:
    """The device's certificate, signed anew by the CA with other dates, counted from now."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        identity = world.devices[EDGE].state / "identity"
        leaf, trust = identity / "cert.pem", identity / "trust.json"
        now = datetime.now(UTC).replace(microsecond=0)
        with kept(leaf, trust):
            leaf.write_bytes(_resigned(leaf.read_bytes(), ca_of(world), now + begins, now + ends))
            stored = json.loads(trust.read_text())
            stored |= {"not_before": (now + begins).isoformat(), "not_after": (now + ends).isoformat()}
            trust.write_text(json.dumps(stored))
            yield

    return inject


def ca_of(world: World) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The operator's CA, with its key."""
    keys = world.operator.installation.root / "var/lib/orillo-cloud/keys"
    key = load_pem_private_key((keys / "ca.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise LabError("the operator's CA key is of another kind than the lab knows")
    return key, x509.load_pem_x509_certificate((keys / "ca.crt").read_bytes())


def _resigned(
    pem: bytes, ca: tuple[ec.EllipticCurvePrivateKey, x509.Certificate], begins: datetime, ends: datetime
) -> bytes:
    old, (key, issuer) = x509.load_pem_x509_certificate(pem), ca
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(issuer.subject)
    builder = builder.public_key(old.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@contextmanager
def foreign_key(world: World) -> Iterator[None]:
    """The private key on disk is another one than the certificate's."""
    file = world.devices[EDGE].state / "identity/key.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    with kept(file):
        file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        yield


@contextmanager
def damaged_slot(world: World) -> Iterator[None]:
    """One byte of the older plan on disk is changed."""
    slots = sorted(
        (world.devices[EDGE].state / "plans").glob("*.json"), key=lambda path: path.stat().st_mtime
    )
    with kept(slots[0]):
        slots[0].write_bytes(slots[0].read_bytes().replace(b"10.200.", b"10.201.", 1))
        yield


@contextmanager
def full_disk(world: World) -> Iterator[None]:
    """The state directory lies on a file system with no room left."""
    with _on_tmpfs(world) as state:
        with (state / "ballast").open("wb") as ballast:
            try:
                while True:
                    ballast.write(bytes(65536))
                    ballast.flush()
            except OSError:
                pass
        yield


@contextmanager
def read_only_disk(world: World) -> Iterator[None]:
    """The state directory lies on a file system that the kernel made read-only."""
    with _on_tmpfs(world) as state:
        run("mount", "-o", "remount,ro", str(state))
        yield


@contextmanager
def _on_tmpfs(world: World) -> Iterator[Path]:
    state = world.devices[EDGE].state
    copy = world.workdir / "state-copy"
    shutil.copytree(state, copy, symlinks=True)
    run("mount", "-t", "tmpfs", "-o", "size=32m", "lab-fault", str(state))
    try:
        shutil.copytree(copy, state, symlinks=True, dirs_exist_ok=True)
        yield state
    finally:
        run("umount", "-l", str(state))
        shutil.rmtree(copy)


@contextmanager
def little_memory(world: World) -> Iterator[None]:
    """What /proc/meminfo says for the doctor."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    file = world.workdir / "meminfo"
    text = [f"MemAvailable:   {20000:8} kB" if line.startswith("MemAvailable") else line for line in lines]
    file.write_text("\n".join(text) + "\n")
    yield


def charon_by_hand(device: Device) -> None:
    """Start charon as somebody would who knows not what `orillo daemon charon` looks at before."""
    socket = device.run_directory / "charon.vici"
    for left in (socket, device.run_directory / "charon.pid"):
        left.unlink(missing_ok=True)
    command = daemon_charon._command(device.run_directory.resolve(), daemon_charon._program(), None)
    device.daemons[Daemon.CHARON] = Process(command, device.logs / "charon.log", ns=device.ns)
    until(socket.exists, "charon starts", 10)


@contextmanager
def deaf_charon(world: World) -> Iterator[None]:
    """The ports were taken when charon started, and are free by now."""
    device = world.devices[EDGE]
    device.kill(Daemon.CHARON)
    holder = Process((sys.executable, "-c", _HOLDER), world.workdir / "deaf.log", ns=device.ns)
    try:
        until(lambda: "ready" in holder.output(), "the ports are taken", 10)
        charon_by_hand(device)
        holder.kill()
        yield
    finally:
        holder.kill()
        device.kill(Daemon.CHARON)
        device.start(Daemon.CHARON)


@contextmanager
def no_plan(world: World) -> Iterator[None]:
    """Both slots are gone from the disk; the agent goes on with what it has in memory."""
    slots = sorted((world.devices[EDGE].state / "plans").glob("[ab].json"))
    with kept(*slots):
        for slot in slots:
            slot.unlink()
        yield


def _apply_and_wait(world: World, file: Path) -> None:
    device = world.devices[EDGE]
    before = int(device.status()["generation"])
    world.operator.apply(file)
    until(lambda: int(device.status()["generation"]) > before, "the plan is there", 20)


@contextmanager
def plan_undone(world: World) -> Iterator[None]:
    """The newest plan was tried before and cost the hub; the operator offers it once more."""
    device = world.devices[EDGE]
    # Two generations that say the same, so that the one before is as good.
    for region in ("elsewhere", "stores"):
        text = manifests.edge(EDGE).replace("region: stores", f"region: {region}")
        _apply_and_wait(world, manifests.write(world.manifests / "region.yaml", text))
    digest = str(device.status()["digest"])
    memory = device.state / "plans/trial.json"
    device.kill(Daemon.AGENT)
    memory.write_text(json.dumps({"undone": {digest: "it cost this device the hub for 45 s"}}))
    device.start(Daemon.AGENT)
    try:
        yield
    finally:
        device.kill(Daemon.AGENT)
        memory.unlink()
        device.start(Daemon.AGENT)


@contextmanager
def release_undone(world: World) -> Iterator[None]:
    """A release that ends at once is on trial; the package's own script starts it until it has had enough."""
    device = world.devices[EDGE]
    releases = device.state / "releases"
    program, own = releases / "9.9/orillo", world.workdir / "launcher"
    for place in (program.parent, own):
        place.mkdir(parents=True)
    for end, path in (("exit 1", program), ("exit 0", own / "orillo")):
        path.write_text(f"#!/bin/sh\n{end}\n")
        path.chmod(0o755)
    shutil.copy(_LAUNCHER, own / "orillo-launch")
    (releases / "trial").symlink_to("9.9")
    try:
        for _ in range(4):
            subprocess.run(
                [own / "orillo-launch", "--root", device.root, "run"], env=environment(), check=False
            )
        yield
    finally:
        shutil.rmtree(releases)
        shutil.rmtree(own)
        (device.run_directory / "agent.pid").unlink(missing_ok=True)


def _refused(world: World) -> bool:
    status = world.devices[EDGE].status()
    tunnels = status.get("tunnels", {})
    return bool(status.get("control", {}).get("refused")) and all(one["up"] for one in tunnels.values())


def program_that(name: str, script: str) -> Inject:
    """A script, to be put over a program of the host for the doctor alone."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        file = world.workdir / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        yield

    return inject


_NFT = (("{workdir}/nft", "/usr/sbin/nft"),)
_DAY = timedelta(days=1)

BOX = (
    Fault("never-enrolled", "the doctor on an empty root", "not-enrolled", nothing, fresh=True),
    Fault("clock-behind", "the certificate begins tomorrow", "clock-behind", certificate_of(_DAY, 30 * _DAY)),
    Fault(
        "certificate-over",
        "the certificate ended yesterday",
        "certificate-expired",
        certificate_of(-30 * _DAY, -_DAY),
    ),
    Fault(
        "certificate-ends",
        "the certificate ends in two days, and was not renewed",
        "certificate-expiring",
        certificate_of(-29 * _DAY, 2 * _DAY),
    ),
    Fault("no-plan", "both slots are removed from the disk", "plan-missing", no_plan),
    Fault("plan-undone", "the newest plan was undone before", "plan-refused", plan_undone, _refused),
    Fault("charon-deaf", "charon started while its ports were taken", "charon-deaf", deaf_charon),
    Fault(
        "no-nftables",
        "an nft that the kernel answers with 'Operation not supported', for the doctor",
        "kernel-lacks-nftables",
        program_that("nft", "echo 'Error: Could not process rule: Operation not supported' >&2; exit 1"),
        mounts=_NFT,
    ),
    Fault(
        "check-hangs",
        "an nft that takes 20 s, for the doctor",
        "check-unfinished",
        program_that("nft", "exec sleep 20"),
        mounts=_NFT,
    ),
    Fault("foreign-key", "key.pem is another certificate's", "identity-damaged", foreign_key),
    Fault(
        "release-undone",
        "a release that ends at once was tried three times",
        "release-undone",
        release_undone,
    ),
    Fault("damaged-plan", "one byte of a plan on disk is changed", "plan-slot-refused", damaged_slot),
    Fault("agent-dead", "kill -9 of the agent", "agent-not-running", killed(Daemon.AGENT)),
    Fault("agent-frozen", "SIGSTOP of the agent", "agent-silent", frozen(Daemon.AGENT)),
    Fault("charon-dead", "kill -9 of charon", "charon-not-running", killed(Daemon.CHARON)),
    Fault("ports-taken", "another program has UDP 500 and 4500", "ike-port-taken", ports_taken),
    Fault("dns-dead", "kill -9 of unbound", "dns-not-running", killed(Daemon.DNS)),
    Fault("dns-frozen", "SIGSTOP of unbound", "dns-cache-silent", frozen(Daemon.DNS)),
    Fault("disk-full", "the state lies on a full tmpfs", "disk-full", full_disk),
    Fault("disk-read-only", "the state lies on a read-only tmpfs", "disk-read-only", read_only_disk),
    Fault(
        "memory-low",
        "another /proc/meminfo for the doctor",
        "memory-low",
        little_memory,
        mounts=(("{workdir}/meminfo", "/proc/meminfo"),),
    ),
    Fault(
        "no-tun",
        "/dev/null over /dev/net/tun for the doctor",
        "kernel-lacks-tun",
        nothing,
        mounts=(("/nonexistent", "/dev/net"),),
    ),
    Fault(
        "no-unbound",
        "/dev/null over unbound for the doctor",
        "program-missing",
        nothing,
        mounts=(("/dev/null", "/usr/sbin/unbound"),),
    ),
)
