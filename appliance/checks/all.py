# SPDX-License-Identifier: Apache-2.0
"""The list of all checks, and how they are run: all at once, each with a deadline."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from appliance.checks import (
    beyond,
    control,
    daemons,
    machine,
    membership,
    power,
    site,
    tables,
    tunnels,
    uplink,
)
from appliance.checks.box import Box, Check
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding

CHECKS: tuple[Check, ...] = (
    Check("clock", ("clock", "时钟"), machine.clock, cheap=True),
    Check("power", ("power", "供电"), power.power, cheap=True),
    Check("heat", ("heat", "温度"), power.heat, cheap=True),
    Check("disk", ("disk", "磁盘"), machine.storage, cheap=True),
    Check("memory", ("memory", "内存"), machine.memory, cheap=True),
    Check("programs", ("programs", "程序"), machine.programs, cheap=True),
    Check("kernel", ("kernel features", "内核功能"), machine.kernel),
    Check("forwarding", ("forwarding", "转发"), machine.forwarding, cheap=True),
    Check("identity", ("identity and certificate", "身份与证书"), membership.identity, cheap=True),
    Check("plan", ("plan", "方案"), membership.plan, cheap=True),
    Check("release", ("release of the program", "程序版本"), membership.release, cheap=True),
    Check("daemons", ("daemons and their ports", "守护进程与端口"), daemons.daemons),
    Check("uplink", ("port, address and router", "网口、地址与网关"), uplink.uplink),
    Check("internet", ("what is beyond the router", "网关之外"), beyond.internet),
    Check("loss", ("packet loss on the uplink", "上联丢包"), beyond.loss, deadline=6.0),
    Check("resolvers", ("name servers", "域名服务器"), beyond.resolvers),
    Check("control", ("control endpoint", "控制端"), control.control, deadline=6.0),
    Check("ike", ("hubs, by IKE", "中心（IKE）"), tunnels.reachable),
    Check("tunnels", ("tunnels, through them", "隧道内部"), tunnels.inside, deadline=6.5),
    Check("tables", ("routes and firewall of ours", "本系统的路由与防火墙"), tables.ours),
    Check("bypass", ("routing rules of others", "其他程序的路由策略"), tables.bypassed),
    Check("firewalls", ("firewalls of others", "其他防火墙"), tables.firewalls, deadline=6.0),
    Check("neighbours", ("who else is on the box", "本机其他程序"), tables.neighbours),
    Check("pods", ("pod network", "容器网络"), site.cni, cheap=True),
    Check("services", ("services", "服务"), site.services),
    Check("names", ("name cache", "域名缓存"), site.name_cache),
)

log = logging.getLogger(__name__)

Progress = Callable[[Check, Sequence[Finding]], None]


def _silent(_check: Check, _found: Sequence[Finding]) -> None:
    """Nobody watches."""


async def examine(box: Box, checks: Sequence[Check] = CHECKS, progress: Progress = _silent) -> list[Finding]:
    """Run these checks side by side; all that they found. `progress` hears of each as it ends."""

    async def one(check: Check) -> list[Finding]:
        found = await _run(check, box)
        progress(check, found)
        return found

    parts = await asyncio.gather(*(one(check) for check in checks))
    return [finding for part in parts for finding in part]


async def _run(check: Check, box: Box) -> list[Finding]:
    try:
        async with asyncio.timeout(check.deadline):
            return await check.run(box)
    except TimeoutError:
        reason = f"it took longer than {check.deadline:g} s"
    except (DoorError, OSError) as error:
        reason = str(error)
    except Exception as error:  # a fault in one check stops neither the others nor the agent
        log.exception("check %s", check.name)
        reason = f"a fault of this program: {type(error).__name__}: {error}"
    return [Finding("check-unfinished", reason, {"check": check.name})]
