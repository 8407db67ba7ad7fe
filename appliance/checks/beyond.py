# SPDX-License-Identifier: Apache-2.0
"""Beyond the router: does anything out there answer, how well, and who answers for names?"""

import asyncio
from urllib.parse import urlsplit

from appliance.checks.box import Box
from appliance.checks.hubs import Asked, ask_hub, ask_hubs
from appliance.netcore.health.kind import Finding
from appliance.netcore.plan.values import Address
from appliance.netcore.probe import names
from appliance.netcore.probe.ike import Answer
from appliance.netcore.probe.ports import Knock, knock
from appliance.sync.proxy import proxy_of

_PATIENCE = 2.5
_BURST, _SPACING = 20, 0.05
_LOSSY = 3  # of a burst: below that, chance may be all there is


def control_address(box: Box) -> tuple[str, int] | None:
    """Host and port of the control endpoint; None on a device that is not enrolled."""
    if box.held.device is None:
        return None
    parts = urlsplit(box.held.device.control_url)
    return (parts.hostname, parts.port or 443) if parts.hostname else None


async def knock_control(box: Box) -> Knock | None:
    """Whether the control endpoint's port answers; that of the proxy, where the way leads through one."""
    where = control_address(box)
    if where is None:
        return None
    near = (proxy.host, proxy.port) if (proxy := proxy_of(box.paths)) else where
    return await box.once("knock", lambda: knock(*near, _PATIENCE))


async def ask_resolver(box: Box, server: Address) -> names.Answer | None:
    """Whether a name server answers; the root has name servers, whatever else it knows."""
    return await box.once(("dns", server), lambda: names.resolve(server, ".", "NS", _PATIENCE))


async def resolvers(box: Box) -> list[Finding]:
    """The host's name servers: one that answers is enough."""
    if not box.resolvers:
        return [Finding("dns-no-resolver", f"no nameserver line in {box.paths.resolv_conf}")]
    answers = await asyncio.gather(*(ask_resolver(box, server) for server in box.resolvers))
    if any(answer is not None and not answer.failed for answer in answers):
        return []
    return [
        Finding(
            "dns-upstream-silent", f"no answer from {server} within {_PATIENCE} s", {"server": str(server)}
        )
        if answer is None
        else Finding("dns-upstream-failing", f"{server} answers SERVFAIL", {"server": str(server)})
        for server, answer in zip(box.resolvers, answers, strict=True)
    ]


async def internet(box: Box) -> list[Finding]:
    """Nothing answers at all: neither name servers, nor the control endpoint, nor a hub."""
    knocked, asked, answers = await asyncio.gather(
        knock_control(box),
        ask_hubs(box),
        asyncio.gather(*(ask_resolver(box, server) for server in box.resolvers)),
    )
    tried = [f"hub {name}" for name in asked]
    tried += [f"name server {server}" for server in box.resolvers]
    tried += ["the control endpoint"] if knocked is not None else []
    reached = knocked in (Knock.OPEN, Knock.REFUSED) or any(answers)
    if not tried or reached or any(map(_reached, asked.values())):
        return []
    return [Finding("internet-unreachable", f"no answer from {', '.join(tried)}")]


def _reached(asked: Asked) -> bool:
    return asked.pinged or bool({Answer.ANSWERED, Answer.REFUSED} & {asked.ike, asked.natt})


async def loss(box: Box) -> list[Finding]:
    """A burst of pings to the first hub that answers any."""
    for name in box.hubs:
        asked = await ask_hub(box, name)
        if asked.address is None or not asked.pinged:
            continue
        lost = await _lost(box, asked.address)
        if lost < _LOSSY or lost == _BURST:
            return []
        share = str(round(100 * lost / _BURST))
        return [Finding("uplink-lossy", f"{lost} of {_BURST} pings to {name} were lost", {"loss": share})]
    return []


async def _lost(box: Box, address: Address) -> int:
    async def one(number: int) -> bool:
        await asyncio.sleep(number * _SPACING)
        return await box.pinger.ping(address, None, 1.2) is None

    return sum(await asyncio.gather(*(one(number) for number in range(_BURST))))
