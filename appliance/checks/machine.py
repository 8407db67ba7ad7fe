# SPDX-License-Identifier: Apache-2.0
"""The machine: clock, disk, memory, kernel, programs."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from appliance.checks.box import Box
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel import host
from appliance.netcore.kernel.capability import probe
from appliance.netcore.kernel.processes import which
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import Ipsec
from appliance.sync.clock import BUILT, Clock

#: A plan, with all that goes with writing it atomically, has to fit twice.
_LEAST_FREE = 16 << 20
_LEAST_FILES = 100
_LEAST_MEMORY = 0.05
_CLOCKS_DIFFER = timedelta(minutes=2)
_PACKAGES = {"ip": "iproute2", "nft": "nftables", "unbound": "unbound"}
_CHARON = ("/usr/lib/ipsec/charon", "/usr/libexec/ipsec/charon", "/usr/lib/strongswan/charon")


async def clock(box: Box) -> list[Finding]:
    """Nothing that this device holds may be from its future, and its hands may not go back."""
    return _dates(box) + _set_back(box)


def _set_back(box: Box) -> list[Finding]:
    """Only a running agent can have seen that."""
    told = box.agent.snapshot.conditions if box.agent.snapshot else ()
    seen = [one for one in told if one.code == "clock-set-back"]
    return [Finding(one.code, one.evidence, one.about) for one in seen]


def _dates(box: Box) -> list[Finding]:
    here = f"{box.now:%F %T} UTC"
    if box.now + _CLOCKS_DIFFER < BUILT:
        return [Finding("clock-unset", f"it is {here} here, and this program was made {BUILT:%F %T}")]
    dates = [("the plan was issued", box.plan.issued_at)] if box.plan else []
    if box.held.device:
        dates.append(("the certificate begins", box.held.device.not_before))
    if (seen := Clock(box.paths.last_seen).seen) is not None:
        dates.append(("the control endpoint was last seen", seen))
    late = [(what, when) for what, when in dates if when > box.now + _CLOCKS_DIFFER]
    if not late:
        return []
    what, when = late[0]
    return [Finding("clock-behind", f"it is {here} here, and {what} {when:%F %T}")]


async def storage(box: Box) -> list[Finding]:
    """Room for plans and for what programs write at run time."""
    return [finding for path in (box.paths.state, box.paths.run) for finding in _disk(path)][:2]


def _disk(path: Path) -> Iterator[Finding]:
    disk, about = host.disk(path), {"path": str(path)}
    if disk.read_only:
        yield Finding("disk-read-only", f"{path} is mounted read-only", about)
    elif disk.free < _LEAST_FREE or disk.files_free < _LEAST_FILES:
        left = f"{disk.free // 1024} KiB and {disk.files_free} files are left on the disk of {path}"
        yield Finding("disk-full", left, about)


async def memory(_box: Box) -> list[Finding]:
    """What can be had without swapping."""
    found = host.memory()
    if found.total and found.available < _LEAST_MEMORY * found.total:
        share = f"{found.available >> 20} of {found.total >> 20} MiB are left"
        return [Finding("memory-low", share)]
    return []


async def programs(box: Box) -> list[Finding]:
    """The programs that we call or become."""
    found = [
        Finding("program-missing", f"{name} is not on the path", {"program": name, "package": package})
        for name, package in _PACKAGES.items()
        if not _usable(which(name))
    ]
    if box.role is not Role.CLOUD_NODE and not any(_usable(path) for path in _CHARON):
        about = {"program": "charon", "package": "strongswan-charon"}
        found.append(Finding("program-missing", f"none of {', '.join(_CHARON)} is there", about))
    return found


def _usable(path: str | None) -> bool:
    return path is not None and Path(path).is_file() and Path(path).stat().st_size > 0


async def kernel(box: Box) -> list[Finding]:
    """Tunnels by one way or the other, and nftables."""
    found = []
    no_tun = host.can_open_tun()
    if no_tun and box.role is not Role.CLOUD_NODE:
        capability = await probe()
        if capability.ipsec is Ipsec.LIBIPSEC:
            found.append(Finding("kernel-lacks-tun", f"{no_tun}; {capability.reason}"))
    try:
        await box.once("our-table", box.nft.exists)
    except DoorError as error:
        found.append(Finding("kernel-lacks-nftables", str(error)))
    return found


async def forwarding(box: Box) -> list[Finding]:
    """Whether the kernel passes packets on at all; ours to switch on once there is a plan.

    An agent that has just started and made no pass yet has not come to that.
    """
    snapshot = box.agent.snapshot
    if box.plan is None or (snapshot is not None and not snapshot.tables):
        return []
    keys = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
    return [
        Finding("forwarding-off", f"{key} is 0", {"version": str(version), "key": key})
        for version, key in keys.items()
        if box.sysctl.read(key) == "0"
    ]
