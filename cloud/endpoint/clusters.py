# SPDX-License-Identifier: Apache-2.0
"""Two clusters' operators to each other: one asks with what it says, and the other answers with its own.

The asking one is enrolled at the other. Its request is held, as a device's is, until there is news for it.
"""

import asyncio
import json
import logging
import ssl
from pathlib import Path

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, encode_basic_auth, web

from appliance.netcore.plan.exchange import (
    CA_CERTS_PATH,
    CLUSTER_PATH,
    ENROLL_PATH,
    REVOKED,
    TRUST_PATH,
    Refusal,
    TrustAnswer,
)
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import decode, encode
from cloud.app import App
from cloud.ca.member import MemberError, certificates_in, fingerprint, new_request
from cloud.clusters import ClusterError, known, mark_of, own_document, take
from cloud.endpoint.answers import RefusedError
from cloud.endpoint.polls import Polls
from cloud.enrolment import is_valid
from cloud.links import Link, links_in
from cloud.source.clusters import ClusterDocument

log = logging.getLogger(__name__)

#: Whom `Polls` wakes at every change: the requests of other clusters.
EVERYBODY = "/clusters"
#: How long a request is held, and after what time a failed one is made again, in seconds.
_HELD, _AGAIN = 30, 3.0
#: How often new enrolments of ours are looked for, in seconds.
_LOOK = 2.0
_TIMEOUT = ClientTimeout(total=_HELD + 30, sock_connect=10)
_MARK = "If-None-Match"


class ExchangeError(Exception):
    """The other operator was not reached, or refused; the text says which."""


async def answer(app: App, polls: Polls, request: web.Request, caller: Identity) -> web.Response:
    """Take in what the caller's cluster says, and answer as soon as it does not have our document."""
    try:
        document = decode(await request.read(), ClusterDocument)
        take(app, caller.name, document)
    except (msgspec.MsgspecError, ClusterError) as error:
        raise RefusedError(409, "cluster-refused", str(error)) from error
    except ValueError as error:
        raise RefusedError(400, "request-bad", str(error)) from error
    has = request.headers.get(_MARK, "")
    clock = asyncio.get_running_loop().time
    deadline = clock() + _HELD
    while (mark := mark_of(own := own_document(app))) == has:
        if not await polls.wait(EVERYBODY, deadline - clock()):
            return web.Response(status=304)
        if not is_valid(app, caller):
            raise RefusedError(403, REVOKED, f"{caller.uri} is not valid any more: enrol again")
    return web.Response(body=encode(own), headers={"ETag": mark}, content_type="application/json")


async def follow_all(app: App, polls: Polls, folder: Path) -> None:
    """Keep up the exchange with every cluster that we are enrolled at; a new one is found by looking."""
    running: dict[Link, asyncio.Task[None]] = {}
    try:
        while True:
            links = links_in(folder)
            for gone in running.keys() - set(links):
                running.pop(gone).cancel()
            for new in set(links) - running.keys():
                running[new] = asyncio.create_task(follow(app, polls, new))
            await asyncio.sleep(_LOOK)
    finally:
        for task in running.values():
            task.cancel()


async def follow(app: App, polls: Polls, link: Link) -> None:
    """Keep up the exchange with the cluster that we are enrolled at, until cancelled."""
    context = ssl.create_default_context(cadata=link.ca)
    context.load_cert_chain(link.identity)
    heard, failing = "", ""
    async with ClientSession(connector=TCPConnector(ssl=context), timeout=_TIMEOUT) as session:
        while True:
            try:
                heard = await _exchange(app, polls, link, session, heard)
                failing = ""
            except (ClientError, TimeoutError, OSError, ExchangeError, ClusterError, ValueError) as error:
                if str(error) != failing:
                    failing = str(error)
                    log.warning("event=cluster-silent name=%s reason=%s", link.cluster, json.dumps(failing))
                await asyncio.sleep(_AGAIN)


async def _exchange(app: App, polls: Polls, link: Link, session: ClientSession, heard: str) -> str:
    """One request, given up for the next as soon as we have something new to say; what was heard last."""
    known(app, link.cluster)
    said = own_document(app)
    asking = asyncio.ensure_future(_ask(session, link, said, heard))
    try:
        while not asking.done():
            changed = asyncio.ensure_future(polls.wait(EVERYBODY, _HELD + 30))
            await asyncio.wait((asking, changed), return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if not asking.done() and own_document(app) != said:
                return heard
        told = await asking
    finally:
        asking.cancel()
    if told is None:
        return heard
    take(app, link.cluster, told)
    return mark_of(told)


async def _ask(
    session: ClientSession, link: Link, said: ClusterDocument, heard: str
) -> ClusterDocument | None:
    url = link.control_url + CLUSTER_PATH
    async with session.post(url, data=encode(said), headers={_MARK: heard}) as response:
        body = await response.read()
        if response.status == 304:
            return None
        if response.status != 200:
            raise ExchangeError(_refusal(body, response.status))
        return decode(body, ClusterDocument)


async def join(app_cluster: str, token: Token) -> tuple[str, bytes, str]:
    """Redeem a token at another cluster: its name, our key and certificate there, its CA (PEM).

    Raises `ExchangeError`. The token is sent only to who shows the CA that it names.
    """
    try:
        async with ClientSession(connector=TCPConnector(ssl=_believing(None)), timeout=_TIMEOUT) as anybody:
            offered = certificates_in(await _read(anybody, token.enroll_url + CA_CERTS_PATH))
        pinned = [pem for pem in offered if fingerprint(pem) == token.ca_pin]
        if not pinned:
            raise ExchangeError(f"the CA at {token.enroll_url} is not the one that the token vouches for")
        async with ClientSession(
            connector=TCPConnector(ssl=_believing(pinned[0])), timeout=_TIMEOUT
        ) as trusted:
            trust = decode(await _read(trusted, token.enroll_url + TRUST_PATH), TrustAnswer)
            key, request = new_request(app_cluster)
            headers = {"Content-Type": "application/pkcs10", "Authorization": _basic(token)}
            async with trusted.post(
                token.enroll_url + ENROLL_PATH, data=request, headers=headers
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise ExchangeError(_refusal(body, response.status))
    except (ClientError, TimeoutError, OSError, MemberError, msgspec.MsgspecError) as error:
        raise ExchangeError(f"{token.enroll_url}: {error}") from error
    return trust.cluster, key + certificates_in(body)[0].encode(), pinned[0]


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
            raise ExchangeError(_refusal(body, response.status))
        return body


def _basic(token: Token) -> str:
    return encode_basic_auth(token.id, token.secret)


def _refusal(body: bytes, status: int) -> str:
    try:
        return decode(body, Refusal).message
    except (msgspec.MsgspecError, ValueError):
        return f"it answered with status {status}"
