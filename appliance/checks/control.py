# SPDX-License-Identifier: Apache-2.0
"""The control endpoint: step by step, from its name to an answer of its own."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime

from appliance.checks.beyond import control_address, knock_control
from appliance.checks.box import Box
from appliance.checks.membership import load_chain
from appliance.netcore.health.kind import Finding
from appliance.netcore.plan.exchange import REVOKED, TRUST_PATH
from appliance.netcore.probe.ports import Knock, http_head
from appliance.sync.clock import moment
from appliance.sync.errors import ControlError
from appliance.sync.identity import DeviceIdentity
from appliance.sync.proxy import Proxy, proxy_of, tunnel

_PATIENCE = 3.0
_LARGEST = 1 << 20
_CLOCKS_DIFFER = 60.0
# X.509 verification results of OpenSSL (openssl-verification-options(1)).
_DATES = {9, 10}
_NAMES = {62, 64}


@dataclass(frozen=True)
class _Where:
    host: str
    port: int

    @property
    def about(self) -> dict[str, str]:
        return {"host": self.host, "port": str(self.port)}

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def control(box: Box) -> list[Finding]:
    """Why the control endpoint can't be used."""
    address, device = control_address(box), box.held.device
    if address is None or device is None:
        return []
    where = _Where(*address)
    knocked = await knock_control(box)
    by_knock = {
        Knock.NO_NAME: "control-name-unknown",
        Knock.SILENT: "control-silent",
        Knock.NO_ROUTE: "control-silent",
        Knock.REFUSED: "control-refused",
        Knock.BLOCKED: "firewall-foreign-output",
    }
    proxy = proxy_of(box.paths)
    if knocked in by_knock:
        about = where.about if knocked is not Knock.BLOCKED else {"target": "the control endpoint"}
        found = [Finding(by_knock[knocked], f"TCP to {proxy or where}: {knocked}", about)]
    else:
        found = await _converse(device, where, proxy, box.now)
    # Plain HTTP that goes past the proxy would say nothing of the way that is taken.
    return found + (await _portal(where) if found and proxy is None else [])


async def _converse(
    device: DeviceIdentity, where: _Where, proxy: Proxy | None, now: datetime
) -> list[Finding]:
    try:
        context = load_chain(device)
    except (OSError, ssl.SSLError):
        return []  # The identity's own check says so.
    try:
        async with asyncio.timeout(_PATIENCE):
            head, body = await _get(where, proxy, context)
    except ControlError as error:
        return [Finding("proxy-in-the-way", str(error), where.about)]
    except ssl.SSLCertVerificationError as error:
        return [await _mistrusted(error, where, proxy)]
    except ssl.SSLError as error:
        return [await _no_tls(error, where, proxy)]
    except TimeoutError:
        return [
            Finding("control-failing", f"{where} accepts a connection and then says nothing", where.about)
        ]
    except (OSError, EOFError) as error:
        return [Finding("identity-rejected", f"{where} hung up after the handshake: {error}", where.about)]
    return _judge(head, body, where, now)


async def _connect(
    where: _Where, proxy: Proxy | None, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """TLS with the control endpoint, by the agent's way. Raises `ControlError` for a proxy's no."""
    if proxy is None:
        return await asyncio.open_connection(where.host, where.port, ssl=context)
    found = await asyncio.get_running_loop().getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    sock = await tunnel(proxy, str(found[0][4][0]), where.host, where.port)
    return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=where.host)


async def _get(where: _Where, proxy: Proxy | None, context: ssl.SSLContext) -> tuple[str, str]:
    """Head and body of an answer over mutual TLS."""
    reader, writer = await _connect(where, proxy, context)
    try:
        request = f"GET {TRUST_PATH} HTTP/1.1\r\nHost: {where.host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return head, (await reader.read(_LARGEST)).decode(errors="replace")
    finally:
        writer.close()


def _judge(head: str, body: str, where: _Where, now: datetime) -> list[Finding]:
    status, _, fields = head.partition("\r\n")
    code = status.split()[1] if len(status.split()) > 1 else ""
    if REVOKED in body:
        return [Finding("identity-revoked", f"{where} answered {code} {REVOKED}")]
    found = []
    if not code.startswith("2"):
        found.append(Finding("control-failing", f"{where} answered {status}", where.about))
    date = next((line[5:].strip() for line in fields.splitlines() if line.lower().startswith("date:")), "")
    off = _seconds_off(date, now)
    if abs(off) > _CLOCKS_DIFFER:
        evidence = f"there it is {date}, here {now:%F %T} UTC"
        found.append(Finding("clock-off", evidence, {"seconds": f"{off:+.0f}"}))
    return found


def _seconds_off(date: str, now: datetime) -> float:
    try:
        _, day, month, year, clock, _ = date.split()
        return (now - moment(year, month, day, clock)).total_seconds()
    except ValueError:
        return 0.0


async def _mistrusted(error: ssl.SSLCertVerificationError, where: _Where, proxy: Proxy | None) -> Finding:
    if error.verify_code in _NAMES:
        return Finding("control-certificate-name", error.verify_message, where.about)
    if error.verify_code in _DATES:
        return Finding("control-certificate-expired", error.verify_message, where.about)
    issuer = await _issuer(where, proxy)
    return Finding("tls-intercepted", f"its certificate is from {issuer}, not from our CA", where.about)


async def _issuer(where: _Where, proxy: Proxy | None) -> str:
    """Who signed the certificate that is shown to us, believed by nobody."""
    # X.509 in Python is big, and needed here only.
    from appliance.sync.identity_keys import issuer_of

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await _connect(where, proxy, context)
    except (OSError, TimeoutError, ControlError):
        return "somebody else"
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return issuer_of(shown)


async def _no_tls(error: ssl.SSLError, where: _Where, proxy: Proxy | None) -> Finding:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason:
        return Finding("identity-rejected", f"{where}: {reason}", where.about)
    head = await http_head(where.host, where.port, _PATIENCE) if proxy is None else ""
    status = head.partition("\r\n")[0]
    if " 407 " in f"{status} " or "\nvia:" in head.lower() or "\nproxy-" in head.lower():
        return Finding("proxy-in-the-way", f"{where} answers plain HTTP: {status}", where.about)
    return Finding("control-not-tls", f"{reason}; plain HTTP: {status or 'no answer'}", where.about)


async def _portal(where: _Where) -> list[Finding]:
    """A redirection of plain HTTP to somewhere else; there is no such thing at a control endpoint."""
    head = await http_head(where.host, 80, _PATIENCE / 2)
    status = head.partition("\r\n")[0]
    code = status.split()[1] if len(status.split()) > 1 else ""
    lines = head.splitlines()
    target = next((line[9:].strip() for line in lines if line.lower().startswith("location:")), "")
    if code == "511" or (code.startswith("3") and target and f"//{where.host}" not in target):
        return [
            Finding(
                "captive-portal", f"http://{where.host}/ is answered by {status}, {target or 'no target'}"
            )
        ]
    return []
