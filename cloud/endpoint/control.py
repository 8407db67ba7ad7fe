# SPDX-License-Identifier: Apache-2.0
"""The control listener: plans out (long poll), reports in, leaves renewed; for enrolled devices only."""

import asyncio
import re
from contextlib import suppress

import msgspec
from aiohttp import web

from appliance.netcore.plan.exchange import (
    CLUSTER_PATH,
    PLAN_NONE,
    PLAN_PATH,
    RENEW_PATH,
    REPORT_PATH,
    REVOKED,
    TRUST_PATH,
    Report,
)
from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.netcore.plan.values import decode
from cloud import enrolment
from cloud.app import App, Offer
from cloud.ca.request import RequestError
from cloud.endpoint import clusters
from cloud.endpoint.answers import RefusedError, json_answer, refusals
from cloud.endpoint.enrolment import certificates
from cloud.endpoint.polls import Polls
from cloud.source.api import ApiError

#: The longest a request is held, in seconds, whatever the device would prefer.
LONGEST_WAIT = 60
#: A device whose plan is being made at this moment waits for it so long at least.
_LATER_WAIT = 3.0
_LARGEST_REPORT = 1 << 20
_WAIT = re.compile(r"(?:^|[,;\s])wait=\"?(\d{1,4})\b")


def control_application(app: App, polls: Polls) -> web.Application:
    """The listener's requests; ending it ends the held ones."""
    listener = _Control(app, polls)
    application = web.Application(client_max_size=_LARGEST_REPORT, middlewares=[refusals])
    application.router.add_get(PLAN_PATH, listener.plan)
    application.router.add_post(REPORT_PATH, listener.report)
    application.router.add_post(RENEW_PATH, listener.renew)
    application.router.add_get(TRUST_PATH, listener.trust)
    application.router.add_post(CLUSTER_PATH, listener.cluster)

    async def end_polls(_: web.Application) -> None:
        polls.close()

    application.on_shutdown.append(end_polls)
    return application


class _Control:
    def __init__(self, app: App, polls: Polls) -> None:
        self._app = app
        self._polls = polls

    async def plan(self, request: web.Request) -> web.Response:
        """The plan, as soon as it is another than the device has."""
        identity = await self._caller(request)
        known = request.headers.get("If-None-Match", "").removeprefix("W/").strip('"')
        clock = asyncio.get_running_loop().time
        started = clock()
        deadline = started + _wait_of(request)
        while not _is_news(offer := await self._offer(identity, known), known):
            least = _LATER_WAIT if offer.later else 0.0
            if not await self._polls.wait(identity.name, max(deadline, started + least) - clock()):
                break
            await self._check(identity)
        self._app.seen[identity.name] = self._app.now()
        plan = offer.plan
        if known and (offer.later or (plan and plan.digest == known)):
            return web.Response(status=304, headers={"ETag": f'"{known}"'})
        if offer.later:
            raise RefusedError(503, "plan-later", "the plan is being made: ask again in a moment")
        if plan is None:
            raise RefusedError(404, PLAN_NONE, f"no manifest has the Node {identity.name}: apply it")
        headers = {"ETag": f'"{plan.digest}"'}
        return web.Response(body=plan.document, content_type="application/json", headers=headers)

    async def _offer(self, identity: Identity, known: str) -> Offer:
        """What to tell a device that has the plan `known`: never an older one.

        It may have a newer one by another replica, of which we have not heard yet.
        """
        app, name = self._app, identity.name
        offer = app.offer(name)
        if app.cluster is None or app.shared is None or not _is_news(offer, known):
            return offer
        if not known or app.shared.was_told(name, known):
            return offer
        try:
            await app.cluster.look(name)
        except ApiError:
            return Offer(later=True)
        return app.offer(name)

    async def report(self, request: web.Request) -> web.Response:
        """Keep what the device says of itself."""
        identity = await self._caller(request)
        try:
            report = decode(await request.read(), Report)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RefusedError(400, "report-bad", f"this is no report: {error}") from error
        if report.identity != identity:
            raise RefusedError(400, "report-bad", f"{identity.uri} can't report for {report.identity.uri}")
        await self._check(identity)
        enrolment.keep_report(self._app, report)
        self._app.seen[identity.name] = self._app.now()
        if self._app.cluster:
            with suppress(ApiError):  # it will report again
                await self._app.cluster.has(identity.name, report.generation)
        return web.Response(status=204)

    async def renew(self, request: web.Request) -> web.Response:
        """A new leaf for the same instance."""
        identity = await self._caller(request)
        body = await request.read()
        await self._check(identity)
        try:
            return certificates(enrolment.renew(self._app, identity, body))
        except RequestError as error:
            raise RefusedError(400, "request-bad", str(error)) from error

    async def trust(self, request: web.Request) -> web.Response:
        """Whom to believe, as of now."""
        await self._caller(request)
        return json_answer(enrolment.trust_answer(self._app))

    async def cluster(self, request: web.Request) -> web.Response:
        """What another cluster says, for what ours says."""
        return await clusters.answer(self._app, self._polls, request, await self._caller(request))

    async def _caller(self, request: web.Request) -> Identity:
        """Who asks, by the certificate alone: TLS has verified it against our CA."""
        certificate = request.get_extra_info("peercert") or {}
        uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        try:
            (uri,) = uris
            identity = parse_uri(uri)
        except ValueError as error:
            raise RefusedError(403, "identity-none", "this certificate is not a device's") from error
        await self._check(identity)
        return identity

    async def _check(self, identity: Identity) -> None:
        if enrolment.is_valid(self._app, identity):
            return
        if self._app.cluster:  # perhaps another replica let it in a moment ago
            try:
                await self._app.cluster.look(identity.name)
            except ApiError as error:
                raise RefusedError(
                    503, "operator-failed", "the API server does not answer now: try again"
                ) from error
        if not enrolment.is_valid(self._app, identity):
            raise RefusedError(403, REVOKED, f"{identity.uri} is not valid any more: enrol again")


def _is_news(offer: Offer, known: str) -> bool:
    return offer.plan is not None and offer.plan.digest != known


def _wait_of(request: web.Request) -> int:
    """How long the device would have its request held (RFC 7240, section 4.3), within limits."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(match[1]), LONGEST_WAIT) if match else 0
