# SPDX-License-Identifier: Apache-2.0
"""The three daemons, and the ports that charon needs."""

from appliance.checks.box import Box
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.host import udp_holders
from appliance.netcore.kernel.links import running
from appliance.netcore.plan.values import Role


async def daemons(box: Box) -> list[Finding]:
    """Which of them run. Before enrolment only the agent would, and it need not."""
    found = []
    if box.agent.silent:
        found.append(Finding("agent-silent", box.agent.silent))
    if box.held.device is None or box.plan is None:
        return found
    if not box.agent.running:
        found.append(Finding("agent-not-running", f"nobody answers at {box.paths.status_socket}"))
    if box.role is not Role.CLOUD_NODE:
        found += await _charon(box, box.plan.tunnel.ike_port, box.plan.tunnel.natt_port)
    if running(box.paths.unbound_pid, "unbound") is None:
        found.append(Finding("dns-not-running", f"no unbound by {box.paths.unbound_pid}"))
    return found


async def _charon(box: Box, *ports: int) -> list[Finding]:
    pid = running(box.paths.charon_pid, "charon")
    found = []
    deaf = []
    for port in ports:
        holders = udp_holders(port)
        if any(holder.pid == pid for holder in holders):
            continue
        deaf.append(port)
        for holder in holders:
            name = f"{holder.name} (process {holder.pid})" if holder.pid else "a process that is not shown"
            about = {"port": str(port), "program": holder.name or "unknown"}
            found.append(Finding("ike-port-taken", f"UDP {port} belongs to {name}", about))
    if pid is None:
        return [*found, Finding("charon-not-running", await _why_no_charon(box))]
    if deaf:
        evidence = f"charon (process {pid}) has no socket on UDP {' and '.join(map(str, deaf))}"
        found.append(Finding("charon-deaf", evidence))
    return found


async def _why_no_charon(box: Box) -> str:
    try:
        await box.charon.stats()
    except DoorError as error:
        return str(error).removeprefix("waiting for charon: ")
    return f"{box.paths.charon_pid} names no running charon"
