# SPDX-License-Identifier: Apache-2.0
"""What a device that has only a token says to the control endpoint. The one module that imports `httpx`.

It lives as long as an enrolment; what stays in memory all day speaks by `appliance.sync.http`. Every method
raises `ControlError` (see `appliance.sync.errors`) and nothing else of the network's.
"""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from appliance.netcore.plan.exchange import CA_CERTS_PATH, ENROLL_PATH, TRUST_PATH, TrustAnswer
from appliance.netcore.plan.token import Token
from appliance.sync import tls
from appliance.sync.clock import at_least
from appliance.sync.control import CSR, read_trust
from appliance.sync.errors import ControlError
from appliance.sync.http import ANSWER, CONNECT, SMALL, SOCKET_OPTIONS, Answer, Place
from appliance.sync.proxy import Proxy
from appliance.sync.proxy import refused as refused_by
from appliance.sync.troubles import refused, trouble


class _Http:
    """One pool of connections to one URL under one TLS context."""

    def __init__(self, url: str, context: ssl.SSLContext, proxy: Proxy | None) -> None:
        self.where = Place.of(url)
        self._proxy = proxy
        through = httpx.Proxy(proxy.url, headers=proxy.headers) if proxy is not None else None
        # Connecting is tried twice: on a line that has just come back, the first try may share the fate of
        # what waits in a router for a neighbour that it is about to give up (ICMP host unreachable).
        transport = httpx.AsyncHTTPTransport(
            verify=context, socket_options=SOCKET_OPTIONS, retries=1, proxy=through
        )
        self._client = httpx.AsyncClient(base_url=url, transport=transport, trust_env=False)

    async def get(self, path: str) -> Answer:
        return await self._send("GET", path)

    async def post(self, path: str, body: bytes, headers: dict[str, str], auth: tuple[str, str]) -> Answer:
        return await self._send("POST", path, headers, body, auth)

    async def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        timeout = httpx.Timeout(ANSWER, connect=CONNECT)
        try:
            async with self._client.stream(
                method, path, content=body, headers=headers, auth=auth, timeout=timeout
            ) as response:
                answer = Answer(response.status_code, "", await self._body(response))
        except httpx.ProxyError as error:
            if self._proxy is None:
                raise trouble(error, str(self.where)) from error
            raise refused_by(self._proxy, str(self.where), str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            raise trouble(_as_timeout(error), str(self.where)) from error
        if answer.status >= 300:
            raise refused(answer.status, answer.body, str(self.where))
        return answer

    async def _body(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > SMALL:
                raise ControlError(f"{self.where} sent more than {SMALL} bytes: is it an Orillo operator?")
            parts.append(part)
        return b"".join(parts)

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
        answer = await self._http.post(ENROLL_PATH, csr, CSR, (self._token.id, self._token.secret))
        return answer.body

    async def trust(self) -> TrustAnswer:
        """The CA and the plan keys of this cluster."""
        return read_trust(await self._http.get(TRUST_PATH), str(self._http.where))


@asynccontextmanager
async def unverified(token: Token, proxy: Proxy | None = None) -> AsyncIterator[EnrolClient]:
    """A client that believes anybody: for asking what the CA is, before the pin is compared, only."""
    context = tls.context(at_least())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with _enrolling(token, context, proxy) as client:
        yield client


@asynccontextmanager
async def verified(
    token: Token, ca: Sequence[bytes], proxy: Proxy | None = None
) -> AsyncIterator[EnrolClient]:
    """A client that believes the given CA certificates (PEM) alone."""
    context = tls.context(at_least())
    context.load_verify_locations(cadata=b"".join(ca).decode())
    async with _enrolling(token, context, proxy) as client:
        yield client


@asynccontextmanager
async def _enrolling(
    token: Token, context: ssl.SSLContext, proxy: Proxy | None
) -> AsyncIterator[EnrolClient]:
    http = _Http(token.enroll_url, context, proxy)
    try:
        yield EnrolClient(token, http)
    finally:
        await http.close()


def _as_timeout(error: Exception) -> Exception:
    return TimeoutError() if isinstance(error, httpx.TimeoutException) else error
