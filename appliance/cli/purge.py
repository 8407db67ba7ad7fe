# SPDX-License-Identifier: Apache-2.0
"""`orillo purge`: take back all that was done to this host, and prove that nothing is left."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from appliance.cli import daemons
from appliance.cli.errors import CliError, Exit, need_root
from appliance.cli.text import print_json
from appliance.netcore.desired.cni import CONFLIST
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import remove
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.kernel.processes import end
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.kernel.rtnetlink_links import LinkDoor
from appliance.netcore.kernel.rtnetlink_routes import RouteDoor
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.plan.model import Cni
from appliance.netcore.reconcile import firewall, links, routes
from appliance.netcore.reconcile.files import FileTable
from appliance.netcore.reconcile.sysctls import SysctlTable
from appliance.paths import Paths
from appliance.status import client
from appliance.sync.identity import forget_identity


@dataclass
class Swept:
    """What was removed, and what could not be."""

    removed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def take(self, step: Callable[[], Awaitable[list[str]]]) -> None:
        """One step; its failure does not stop the others."""
        try:
            self.removed += await step()
        except DoorError as error:
            self.failed.append(str(error))


def run(paths: Paths, *, everything: bool, json: bool) -> int:
    """Exit 0 if nothing of ours is left, 1 if something is."""
    need_root("purge")
    _refuse_while_running(paths)
    swept = Swept(removed=list(_stop_daemons(paths)))
    bridge = _bridge(paths)
    asyncio.run(_sweep(paths, bridge, swept))
    swept.removed += _directories(paths, everything=everything)
    left = asyncio.run(_left(paths, bridge))
    swept.failed += [f"{what} came back: something else makes it" for what in left]
    if json:
        print_json({"removed": swept.removed, "failed": swept.failed})
    else:
        for line in swept.removed or ["nothing of ours was there"]:
            print(line)
        for line in swept.failed:
            print(f"NOT REMOVED: {line}")
    return Exit.FAULT if swept.failed else Exit.OK


def _refuse_while_running(paths: Paths) -> None:
    pid = client.daemon_pid(paths.status_socket)
    if pid is not None:
        raise CliError(
            f"`orillo run` is alive (pid {pid}) and would put all back: "
            f"stop it first, with `systemctl stop orillo` or `kill {pid}`"
        )


def _stop_daemons(paths: Paths) -> Iterator[str]:
    for name, find in (("charon", daemons.charon), ("unbound", daemons.unbound)):
        pid = find(paths)
        if pid is not None:
            end(pid)
            yield f"process {name} (pid {pid})"


def _bridge(paths: Paths) -> str | None:
    """The pods' bridge; without a plan the default name, but only where a conflist of ours stands."""
    try:
        plan = daemons.plan_on_disk(paths)
    except DoorError:
        plan = None
    if plan is not None and plan.cni is not None:
        return plan.cni.bridge
    return Cni().bridge if (paths.cni / CONFLIST).exists() else None


async def _sweep(paths: Paths, bridge: str | None, swept: Swept) -> None:
    # The conflist first, so that no new pod is attached to what is going away.
    await swept.take(FileTable([paths.cni / CONFLIST]).purge)
    async with Netlink() as netlink:
        await swept.take(lambda: routes.purge(RouteDoor(netlink)))
        await swept.take(lambda: links.purge(LinkDoor(netlink), bridge))
    await swept.take(lambda: firewall.purge(NftTable()))
    await swept.take(SysctlTable(SysctlDoor(), paths.sysctl_before).purge)


async def _left(paths: Paths, bridge: str | None) -> list[str]:
    """A second sweep has to find nothing."""
    again = Swept()
    await _sweep(paths, bridge, again)
    there = [f"directory {path}" for path in (paths.run,) if path.exists()]
    return again.removed + there


def _directories(paths: Paths, *, everything: bool) -> Iterator[str]:
    """The run directory and the pods' leases; with `everything` what a new device does not have, too."""
    if everything and forget_identity(paths):
        yield f"identity {paths.identity}"
    for file in (paths.guard, *((paths.last_seen,) if everything else ())):
        if remove(file):
            yield f"file {file}"
    plans = (paths.plans,) if everything else ()
    for path in (paths.run, paths.cni_leases, *plans):
        if path.is_dir():
            shutil.rmtree(path)
            yield f"directory {path}"
    if everything and paths.state.is_dir() and not any(paths.state.iterdir()):
        paths.state.rmdir()
        yield f"directory {paths.state}"
