# SPDX-License-Identifier: Apache-2.0
"""Two clusters' operators to each other: one asks with what it says, and the other answers with its own.

The asking one is enrolled at the other. Its request is held, as a device's is, until there is news for it.
"""

import asyncio
import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from aiohttp import ClientError, ClientSession, web

from appliance.netcore.plan.exchange import CLUSTER_PATH, REVOKED
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.values import decode, encode
from cloud.app import App
from cloud.ca.member import MemberError
from cloud.clusters import ClusterError, known, mark_of, own_document, take
from cloud.endpoint.answers import RefusedError
from cloud.endpoint.joining import HELD, ExchangeError, refusal, renew, renewal_due, session_of
from cloud.endpoint.polls import Polls
from cloud.enrolment import is_valid
from cloud.links import Link, links_in
from cloud.source.clusters import ClusterDocument

log = logging.getLogger(__name__)

#: Whom `Polls` wakes at every change: the requests of other clusters.
EVERYBODY = "/clusters"
#: After what time a failed request is made again, in seconds, and a failed renewal.
_AGAIN, _RENEW_AGAIN = 3.0, timedelta(minutes=10)
#: How often new enrolments of ours are looked for, in seconds.
_LOOK = 2.0
_MARK = "If-None-Match"


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
    deadline = clock() + HELD
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
            # Of several replicas the leader asks; whoever is asked answers.
            links = links_in(folder) if app.shared is None or app.shared.leads else []
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
    heard = ""
    while True:
        try:
            due = renewal_due(link, app.now())
            async with session_of(link) as session:
                heard = await _follow(app, polls, link, session, due, heard)
        except (OSError, MemberError) as error:
            _failed(app, link, f"our certificate in {link.identity} can't be used: {error}")
            await asyncio.sleep(_AGAIN)


async def _follow(
    app: App, polls: Polls, link: Link, session: ClientSession, due: datetime, heard: str
) -> str:
    """The same until there is a new certificate, which connections of its own are made with."""
    while True:
        if app.now() >= due:
            if await _renewed(app, link, session):
                return heard
            due = app.now() + _RENEW_AGAIN
        try:
            heard = await _exchange(app, polls, link, session, heard)
        except ClusterError:  # told already, by whom it was refused
            await asyncio.sleep(_AGAIN)
        except (ClientError, TimeoutError, OSError, ExchangeError, ValueError) as error:
            _failed(app, link, str(error))
            await asyncio.sleep(_AGAIN)


def _failed(app: App, link: Link, reason: str) -> None:
    if reason != app.talks.of(link.cluster).fault:
        log.warning("event=cluster-silent name=%s reason=%s", link.cluster, json.dumps(reason))
    app.talks.failed(link.cluster, reason)


async def _renewed(app: App, link: Link, session: ClientSession) -> bool:
    """Whether there is another certificate of ours now; without one the old one goes on while it is valid."""
    try:
        await renew(app.settings.cluster, link, session)
    except (ExchangeError, OSError) as error:
        reason = json.dumps(str(error))
        log.warning("event=cluster-certificate-not-renewed name=%s reason=%s", link.cluster, reason)
        return False
    log.info("event=cluster-certificate-renewed name=%s", link.cluster)
    return True


async def _exchange(app: App, polls: Polls, link: Link, session: ClientSession, heard: str) -> str:
    """One request, given up for the next as soon as we have something new to say; what was heard last."""
    known(app, link.cluster)
    said = own_document(app)
    asking = asyncio.ensure_future(_ask(session, link, said, heard))
    try:
        while not asking.done():
            changed = asyncio.ensure_future(polls.wait(EVERYBODY, HELD + 30))
            await asyncio.wait((asking, changed), return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if not asking.done() and own_document(app) != said:
                return heard
        told = await asking
    finally:
        asking.cancel()
    if told is None:
        app.talks.heard(link.cluster, app.now())
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
            raise ExchangeError(refusal(body, response.status))
        return decode(body, ClusterDocument)
