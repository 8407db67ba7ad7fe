# SPDX-License-Identifier: Apache-2.0
"""The door to the control endpoint: HTTP over TLS. The one module that imports `httpx`.

Every method raises `ControlError` (see `appliance.sync.errors`) and nothing else of the network's.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
import msgspec

from appliance.netcore.plan.exchange import (
    CA_CERTS_PATH,
    ENROLL_PATH,
    PLAN_PATH,
    RENEW_PATH,
    REPORT_PATH,
    TRUST_PATH,
    Refusal,
    Report,
    TrustAnswer,
)
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import encode
from appliance.sync import tls
from appliance.sync.clock import BUILT, host_clock
from appliance.sync.errors import ControlError, IdentityError
from appliance.sync.identity import DeviceIdentity
from appliance.sync.timing import WAIT
from appliance.sync.troubles import refusal, trouble

_CONNECT = 10.0
_ANSWER = 15.0

_SMALL = 1 << 20
_LARGEST_PLAN = 1 << 28

_CSR = {"Content-Type": "application/pkcs10"}
_JSON = {"Content-Type": "application/json"}

# A dead path shows within 35 s although the long poll sends nothing, and a lost request within 20 s (tcp(7)).
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000),
)


class Answer:
    """Status, ETag and body of one response."""

    def __init__(self, status: int, etag: str, body: bytes) -> None:
        self.status = status
        self.etag = etag
        self.body = body


class _Http:
    """One pool of connections to one URL under one TLS context."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme != "https" or not parsed.host:
            raise ControlError(f"{url!r} is no https address: the token or the stored identity is damaged")
        self._where = f"{parsed.host}:{parsed.port or 443}"
        transport = httpx.AsyncHTTPTransport(verify=context, socket_options=_SOCKET_OPTIONS, retries=0)
        self._client = httpx.AsyncClient(base_url=url, transport=transport, trust_env=False)

    async def get(
        self, path: str, wait: float = 0.0, limit: int = _SMALL, headers: dict[str, str] | None = None
    ) -> Answer:
        return await self._send("GET", path, wait, limit, headers or {})

    async def post(
        self, path: str, body: bytes, headers: dict[str, str], auth: tuple[str, str] | None = None
    ) -> Answer:
        return await self._send("POST", path, 0.0, _SMALL, headers, body, auth)

    async def _send(
        self,
        method: str,
        path: str,
        wait: float,
        limit: int,
        headers: dict[str, str],
        body: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        timeout = httpx.Timeout(_ANSWER + wait, connect=_CONNECT)
        try:
            async with self._client.stream(
                method, path, content=body, headers=headers, auth=auth, timeout=timeout
            ) as response:
                answer = Answer(
                    response.status_code,
                    response.headers.get("etag", "").strip('"'),
                    await self._body(response, limit),
                )
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            raise trouble(_as_timeout(error), self._where) from error
        if answer.status >= 300 and answer.status != httpx.codes.NOT_MODIFIED:
            raise self._refusal(answer)
        return answer

    async def _body(self, response: httpx.Response, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > limit:
                raise ControlError(f"{self._where} sent more than {limit} bytes: is it an Orillo operator?")
            parts.append(part)
        return b"".join(parts)

    def _refusal(self, answer: Answer) -> ControlError:
        try:
            said = msgspec.json.decode(answer.body, type=Refusal)
        except msgspec.MsgspecError:
            said = Refusal(error="", message="")
        return refusal(answer.status, said.error, said.message, self._where)

    def trust_in(self, answer: Answer) -> TrustAnswer:
        """Read the answer of `TRUST_PATH`."""
        try:
            return msgspec.json.decode(answer.body, type=TrustAnswer)
        except msgspec.MsgspecError as error:
            raise ControlError(f"{self._where} told its trust in a form unknown here: {error}") from error

    async def close(self) -> None:
        await self._client.aclose()


class EnrolClient:
    """The enrolment listener, which asks for no client certificate."""

    def __init__(self, token: Token, http: _Http) -> None:
        self._token = token
        self._http = http

    async def ca_certificates(self) -> bytes:
        """What the endpoint calls its CA, base64 PKCS#7; it proves nothing until the pin fits."""
        return (await self._http.get(CA_CERTS_PATH)).body

    async def enrol(self, csr: bytes) -> bytes:
        """Redeem the token: base64 PKCS#7 with the leaf. Raises `RefusedError` with a token's code."""
        answer = await self._http.post(ENROLL_PATH, csr, _CSR, (self._token.id, self._token.secret))
        return answer.body

    async def trust(self) -> TrustAnswer:
        """The CA and the plan keys of this cluster."""
        return self._http.trust_in(await self._http.get(TRUST_PATH))


@asynccontextmanager
async def unverified(token: Token) -> AsyncIterator[EnrolClient]:
    """A client that believes anybody: for asking what the CA is, before the pin is compared, only."""
    context = tls.context(_at_least())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with _enrolling(token, context) as client:
        yield client


@asynccontextmanager
async def verified(token: Token, ca: Sequence[bytes]) -> AsyncIterator[EnrolClient]:
    """A client that believes the given CA certificates (PEM) alone."""
    context = tls.context(_at_least())
    context.load_verify_locations(cadata=b"".join(ca).decode())
    async with _enrolling(token, context) as client:
        yield client


@asynccontextmanager
async def _enrolling(token: Token, context: ssl.SSLContext) -> AsyncIterator[EnrolClient]:
    http = _Http(token.enroll_url, context)
    try:
        yield EnrolClient(token, http)
    finally:
        await http.close()


class ControlClient:
    """The mTLS listener, for one enrolled device. Connections are kept open between requests."""

    def __init__(self, device: DeviceIdentity) -> None:
        self._http = _Http(device.control_url, _device_context(device))

    async def plan(self, etag: str | None, wait: int = WAIT) -> Answer | None:
        """The signed plan as soon as it is another than `etag`; None if it stayed the same for `wait` s."""
        headers = {"Prefer": f"wait={wait}"}
        if etag:
            headers["If-None-Match"] = f'"{etag}"'
        answer = await self._http.get(PLAN_PATH, wait, _LARGEST_PLAN, headers)
        return None if answer.status == httpx.codes.NOT_MODIFIED else answer

    async def report(self, report: Report) -> None:
        """Tell the operator how the device stands."""
        await self._http.post(REPORT_PATH, encode(report), _JSON)

    async def renew(self, csr: bytes) -> bytes:
        """A new leaf for the same instance, base64 PKCS#7."""
        return (await self._http.post(RENEW_PATH, csr, _CSR)).body

    async def trust(self) -> TrustAnswer:
        """The CA and the plan keys of this cluster, as of now."""
        return self._http.trust_in(await self._http.get(TRUST_PATH))

    async def close(self) -> None:
        """Give up the connections."""
        await self._http.close()


def _at_least(*dates: datetime) -> Callable[[], datetime]:
    """The host's clock, but not before these dates or before this program was made."""
    return lambda: max(host_clock(), BUILT, *dates)


def _device_context(device: DeviceIdentity) -> ssl.SSLContext:
    context = tls.context(_at_least(device.not_before))
    try:
        context.load_verify_locations(cafile=device.ca)
        context.load_cert_chain(device.certificate, device.key)
    except (OSError, ssl.SSLError) as error:
        raise IdentityError(f"the identity in {device.key.parent} can't be used: enrol again") from error
    return context


def _as_timeout(error: Exception) -> Exception:
    return TimeoutError() if isinstance(error, httpx.TimeoutException) else error
