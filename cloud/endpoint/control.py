# SPDX-License-Identifier: Apache-2.0
"""The control listener: plans out (long poll), reports in, leaves renewed; for enrolled devices only."""

import asyncio
import re

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
from cloud.app import App
from cloud.ca.request import RequestError
from cloud.endpoint import clusters
from cloud.endpoint.answers import RefusedError, json_answer, refusals
from cloud.endpoint.enrolment import certificates
from cloud.endpoint.polls import Polls
from cloud.store.plans import StoredPlan

#: The longest a request is held, in seconds, whatever the device would prefer.
LONGEST_WAIT = 60
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
        identity = self._caller(request)
        known = request.headers.get("If-None-Match", "").removeprefix("W/").strip('"')
        clock = asyncio.get_running_loop().time
        deadline = clock() + _wait_of(request)
        while not _is_news(plan := self._app.store.plans.get(identity.name), known):
            if not await self._polls.wait(identity.name, deadline - clock()):
                break
            self._check(identity)
        self._app.seen[identity.name] = self._app.now()
        if plan is None or plan.document is None:
            raise RefusedError(404, PLAN_NONE, f"no manifest has the Node {identity.name}: apply it")
        if plan.digest == known:
            return web.Response(status=304, headers={"ETag": f'"{known}"'})
        headers = {"ETag": f'"{plan.digest}"'}
        return web.Response(body=plan.document, content_type="application/json", headers=headers)

    async def report(self, request: web.Request) -> web.Response:
        """Keep what the device says of itself."""
        identity = self._caller(request)
        try:
            report = decode(await request.read(), Report)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RefusedError(400, "report-bad", f"this is no report: {error}") from error
        if report.identity != identity:
            raise RefusedError(400, "report-bad", f"{identity.uri} can't report for {report.identity.uri}")
        self._check(identity)
        enrolment.keep_report(self._app, report)
        return web.Response(status=204)

    async def renew(self, request: web.Request) -> web.Response:
        """A new leaf for the same instance."""
        identity = self._caller(request)
        body = await request.read()
        self._check(identity)
        try:
            return certificates(enrolment.renew(self._app, identity, body))
        except RequestError as error:
            raise RefusedError(400, "request-bad", str(error)) from error

    async def trust(self, request: web.Request) -> web.Response:
        """Whom to believe, as of now."""
        self._caller(request)
        return json_answer(enrolment.trust_answer(self._app))

    async def cluster(self, request: web.Request) -> web.Response:
        """What another cluster says, for what ours says."""
        return await clusters.answer(self._app, self._polls, request, self._caller(request))

    def _caller(self, request: web.Request) -> Identity:
        """Who asks, by the certificate alone: TLS has verified it against our CA."""
        certificate = request.get_extra_info("peercert") or {}
        uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        try:
            (uri,) = uris
            identity = parse_uri(uri)
        except ValueError as error:
            raise RefusedError(403, "identity-none", "this certificate is not a device's") from error
        self._check(identity)
        return identity

    def _check(self, identity: Identity) -> None:
        if not enrolment.is_valid(self._app, identity):
            raise RefusedError(403, REVOKED, f"{identity.uri} is not valid any more: enrol again")


def _is_news(plan: StoredPlan | None, known: str) -> bool:
    return plan is not None and plan.document is not None and plan.digest != known


def _wait_of(request: web.Request) -> int:
    """How long the device would have its request held (RFC 7240, section 4.3), within limits."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(match[1]), LONGEST_WAIT) if match else 0
