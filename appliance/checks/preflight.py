# SPDX-License-Identifier: Apache-2.0
"""Before enrolment: what the box can do, what its network lets out, and who else is there."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.checks import beyond, machine, power, tables, uplink
from appliance.checks.all import examine
from appliance.checks.box import Box, Check
from appliance.checks.hubs import Asked, ask_address, resolve
from appliance.checks.tunnels import judge_outside
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel import host
from appliance.netcore.kernel.capability import probe
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.icmp import Pinger
from appliance.netcore.probe.ike import Answer
from appliance.netcore.probe.ports import Knock, knock
from appliance.sync.client import unverified
from appliance.sync.proxy import Proxy, proxy_of

if TYPE_CHECKING:
    from appliance.netcore.plan.exchange import TrustAnswer

_PATIENCE = 2.5
#: What a tunnel's packet of 1280 bytes inside (IPv6's least) comes to outside, with ESP, UDP and IP.
_LEAST_MTU = 1280 + 80
_SIZES = (1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, _LEAST_MTU)
_HEADERS = {4: 28, 6: 48}

LOCAL: tuple[Check, ...] = (
    Check("clock", ("clock", "时钟"), machine.clock),
    Check("power", ("power", "供电"), power.power),
    Check("heat", ("heat", "温度"), power.heat),
    Check("disk", ("disk", "磁盘"), machine.storage),
    Check("memory", ("memory", "内存"), machine.memory),
    Check("programs", ("programs", "程序"), machine.programs),
    Check("kernel", ("kernel features", "内核功能"), machine.kernel),
    Check("uplink", ("port, address and router", "网口、地址与网关"), uplink.uplink),
    Check("resolvers", ("name servers", "域名服务器"), beyond.resolvers),
    Check("neighbours", ("who else is on the box", "本机其他程序"), tables.neighbours),
)


@dataclass(frozen=True)
class Line:
    """One fact for the list."""

    what: str
    ok: bool
    value: str


async def look(box: Box, token: Token | None) -> tuple[list[Line], list[Finding]]:
    """The list, and what is wrong. With a token, or on an enrolled device, the way out is tried too."""
    findings = await examine(box, LOCAL)
    if box.held.device is None:
        taken = [_taken(port) for port in (500, 4500) if host.udp_holders(port)]
        findings += taken
    lines = await _facts(box)
    if token is not None:
        more, wrong = await _way_out(box, token)
        lines += more
        findings += wrong
    return lines, findings


def _taken(port: int) -> Finding:
    about = {"port": str(port), "program": _names(port)}
    return Finding("ike-port-taken", f"UDP {port} belongs to {_names(port)}", about)


def _names(port: int) -> str:
    return ", ".join(holder.name or "a hidden process" for holder in host.udp_holders(port))


async def _facts(box: Box) -> list[Line]:
    disk, memory = host.disk(box.paths.state), host.memory()
    lines = [
        Line("clock", True, f"{box.now:%F %T} UTC"),
        Line("disk", not disk.read_only, f"{disk.free >> 20} MiB free below {box.paths.state}"),
        Line("memory", True, f"{memory.available >> 20} of {memory.total >> 20} MiB available"),
    ]
    try:
        capability = await probe()
        lines.append(Line("ESP", True, f"{capability.ipsec}: {capability.reason}"))
    except DoorError as error:
        lines.append(Line("ESP", False, str(error)))
    tun = host.can_open_tun()
    lines.append(Line("TUN", not tun, tun or "/dev/net/tun can be opened"))
    return lines


async def _way_out(box: Box, token: Token) -> tuple[list[Line], list[Finding]]:
    lines: list[Line] = []
    findings: list[Finding] = []
    proxy = proxy_of(box.paths)
    for what, url in (("enrolment", token.enroll_url), ("control", token.control_url)):
        parts = urlsplit(url)
        where, port = parts.hostname or "", parts.port or 443
        answer = await knock(*((proxy.host, proxy.port) if proxy else (where, port)), _PATIENCE)
        by = f" by {proxy}" if proxy else ""
        lines.append(Line(what, answer is Knock.OPEN, f"TCP {where} port {port}{by}: {answer}"))
        codes = {Knock.OPEN: "", Knock.REFUSED: "control-refused", Knock.NO_NAME: "control-name-unknown"}
        if code := codes.get(answer, "control-silent"):
            findings.append(Finding(code, lines[-1].value, {"host": where, "port": str(port)}))
    hubs = await _hubs(token, proxy)
    if not hubs:
        lines.append(Line("hubs", True, "the operator named none to try"))
    asked = await asyncio.gather(*(_hub(box, text) for text in hubs))
    for text, one in zip(hubs, asked, strict=True):
        good = one.ike is one.natt is Answer.ANSWERED
        lines.append(Line("hub", good, f"{text}: UDP 500 {one.ike}, UDP 4500 {one.natt}"))
        findings += judge_outside(text, one)
        if one.address is not None and one.pinged:
            mtu = await largest(one.address)
            lines.append(Line("MTU", mtu >= _LEAST_MTU, f"{mtu} bytes pass to {text}" if mtu else "unknown"))
    return lines, findings


async def _hub(box: Box, text: str) -> Asked:
    address = await resolve(text)
    return await ask_address(box, address) if address else Asked(name=text)


async def _hubs(token: Token, proxy: Proxy | None) -> tuple[str, ...]:
    """What the enrolment listener names; believed for nothing but where to send a probe."""
    try:
        async with unverified(token, proxy) as client:
            answer: TrustAnswer = await client.trust()
    except (DoorError, ssl.SSLError):
        return ()
    return answer.hubs


async def largest(address: Address) -> int:
    """The largest packet, of a few usual sizes, that comes back from `address`; 0 if none does."""
    pinger = Pinger(whole=True)
    try:
        for size in _SIZES:
            if await pinger.ping(address, None, 0.8, size - _HEADERS[address.version]) is not None:
                return size
        return 0
    finally:
        pinger.close()
