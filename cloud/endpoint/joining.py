# SPDX-License-Identifier: Apache-2.0
"""This operator as a member of another cluster: it joins by a token, and its certificate there is renewed."""

import ssl
from datetime import datetime
from pathlib import Path

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, encode_basic_auth

from appliance.netcore.plan.exchange import (
    CA_CERTS_PATH,
    ENROLL_PATH,
    RENEW_PATH,
    TRUST_PATH,
    Refusal,
    TrustAnswer,
)
from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import decode
from cloud.ca.member import MemberError, certificates_in, identity_of, new_request, window_of
from cloud.links import Link, keep
from cloud.source.clusters import pin_of

#: How long a request of another cluster's is held there, in seconds.
HELD = 30
_TIMEOUT = ClientTimeout(total=HELD + 30, sock_connect=10)
_CSR = {"Content-Type": "application/pkcs10"}


class ExchangeError(Exception):
    """The other operator was not reached, or refused; the text says which."""


def session_of(link: Link) -> ClientSession:
    """Connections to the other operator with our certificate as it is now. Raises `OSError`."""
    context = ssl.create_default_context(cadata=link.ca)
    context.load_cert_chain(link.identity)
    return ClientSession(connector=TCPConnector(ssl=context), timeout=_TIMEOUT)


def renewal_due(link: Link, now: datetime) -> datetime:
    """From when on to renew the certificate. Raises `OSError`, and `MemberError` if it is too late."""
    window = window_of(Path(link.identity).read_bytes())
    if window.not_after <= now:
        raise MemberError(
            f"it ended on {window.not_after:%Y-%m-%d}: join {link.cluster} again by a new token"
        )
    return window.renew_from


async def renew(our_name: str, link: Link, session: ClientSession) -> Link:
    """A new key and certificate for what we are there, and whom to believe there as of now.

    Raises `ExchangeError` and `OSError`; then the one before stays.
    """
    try:
        trust = decode(await _read(session, link.control_url + TRUST_PATH), TrustAnswer)
        key, request = new_request(our_name)
        async with session.post(link.control_url + RENEW_PATH, data=request, headers=_CSR) as response:
            body = await response.read()
            if response.status != 200:
                raise ExchangeError(refusal(body, response.status))
        identity = identity_of(key, body)
    except (ClientError, TimeoutError, MemberError, msgspec.MsgspecError) as error:
        raise ExchangeError(f"{link.control_url}: {error}") from error
    folder = Path(link.identity).parents[1]
    return keep(folder, link.cluster, link.control_url, "".join(trust.ca), identity)


async def join(our_name: str, token: Token) -> tuple[str, bytes, str]:
    """Redeem a token at another cluster: its name, our key and certificate there, its CA (PEM).

    Raises `ExchangeError`. The token is sent only to who shows the CA that it names.
    """
    try:
        async with ClientSession(connector=TCPConnector(ssl=_believing(None)), timeout=_TIMEOUT) as anybody:
            offered = certificates_in(await _read(anybody, token.enroll_url + CA_CERTS_PATH))
        pinned = [pem for pem in offered if pin_of(pem) == token.ca_pin]
        if not pinned:
            raise ExchangeError(f"the CA at {token.enroll_url} is not the one that the token vouches for")
        async with ClientSession(
            connector=TCPConnector(ssl=_believing(pinned[0])), timeout=_TIMEOUT
        ) as trusted:
            trust = decode(await _read(trusted, token.enroll_url + TRUST_PATH), TrustAnswer)
            if not is_name(trust.cluster):
                problem = f"calls its cluster {trust.cluster!r}, which is no name"
                raise ExchangeError(f"{token.enroll_url} {problem}")
            key, request = new_request(our_name)
            headers = _CSR | {"Authorization": encode_basic_auth(token.id, token.secret)}
            async with trusted.post(
                token.enroll_url + ENROLL_PATH, data=request, headers=headers
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise ExchangeError(refusal(body, response.status))
            identity = identity_of(key, body)
    except (ClientError, TimeoutError, OSError, MemberError, msgspec.MsgspecError) as error:
        raise ExchangeError(f"{token.enroll_url}: {error}") from error
    return trust.cluster, identity, pinned[0]


def _believing(ca: str | None) -> ssl.SSLContext:
    """A context for this CA alone; for anybody, to ask for the CA's certificate, without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=ca)
    return context


async def _read(session: ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        body: bytes = await response.read()
        if response.status != 200:
            raise ExchangeError(refusal(body, response.status))
        return body


def refusal(body: bytes, status: int) -> str:
    """Why the other operator did not do what it was asked."""
    try:
        return decode(body, Refusal).message
    except (msgspec.MsgspecError, ValueError):
        return f"it answered with status {status}"
