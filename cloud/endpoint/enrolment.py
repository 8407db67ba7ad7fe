# SPDX-License-Identifier: Apache-2.0
"""The enrolment listener: EST (RFC 7030) for devices that hold a token instead of a certificate."""

import base64
import binascii

from aiohttp import web

from appliance.netcore.plan.exchange import CA_CERTS_PATH, ENROLL_PATH, TRUST_PATH
from cloud import enrolment
from cloud.app import App
from cloud.ca.request import RequestError
from cloud.endpoint.answers import RefusedError, json_answer, refusals
from cloud.source.api import ApiError
from cloud.store.tokens import Refused, TokenRefusedError

#: For the probes of a cluster; devices do not ask it.
READY_PATH = "/readyz"
_LARGEST_REQUEST = 16 * 1024
_SENTENCES = {
    Refused.UNKNOWN: "this token is not known here",
    Refused.USED: "this token was used as often as it may be",
    Refused.EXPIRED: "this token has expired",
    Refused.NAME: "this token is for devices of other names",
    Refused.TAKEN: "a device of this name is enrolled already",
}


def enrolment_application(app: App) -> web.Application:
    """The listener's requests."""
    listener = _Enrolment(app)
    application = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[refusals])
    application.router.add_get(CA_CERTS_PATH, listener.ca_certs)
    application.router.add_get(TRUST_PATH, listener.trust)
    application.router.add_post(ENROLL_PATH, listener.enroll)
    application.router.add_get(READY_PATH, listener.ready)
    return application


class _Enrolment:
    def __init__(self, app: App) -> None:
        self._app = app

    async def ready(self, _: web.Request) -> web.Response:
        """Whether devices are served here, for who sends them here; not whether all is well."""
        waits = self._app.cluster.waits_for() if self._app.cluster else ""
        return web.json_response({"waits_for": waits}, status=503 if waits else 200)

    async def ca_certs(self, _: web.Request) -> web.Response:
        return certificates(self._app.issuer.ca_chain())

    async def trust(self, _: web.Request) -> web.Response:
        return json_answer(enrolment.trust_answer(self._app))

    async def enroll(self, request: web.Request) -> web.Response:
        token_id, secret = _credentials(request)
        body = await request.read()
        try:
            return certificates(await self._enroll(token_id, secret, body))
        except TokenRefusedError as error:
            raise RefusedError(401, error.reason, _SENTENCES[error.reason]) from error
        except RequestError as error:
            raise RefusedError(400, "request-bad", str(error)) from error

    async def _enroll(self, token_id: str, secret: str, body: bytes) -> bytes:
        if self._app.cluster is None:
            return enrolment.enroll(self._app, token_id, secret, body)
        try:
            return await enrolment.enroll_at(self._app, self._app.cluster, token_id, secret, body)
        except ApiError as error:
            raise RefusedError(
                503, "operator-failed", "the API server does not answer now: try again"
            ) from error


def certificates(envelope: bytes) -> web.Response:
    """Certificates in EST's envelope."""
    headers = {"Content-Type": "application/pkcs7-mime; smime-type=certs-only"}
    return web.Response(body=envelope, headers=headers | {"Content-Transfer-Encoding": "base64"})


def _credentials(request: web.Request) -> tuple[str, str]:
    """The token's id and secret (HTTP Basic, RFC 7617)."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    try:
        text = base64.b64decode(value, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        text = ""
    token_id, colon, secret = text.partition(":")
    if not colon:
        message = "give the token's id and secret in an Authorization header (HTTP Basic)"
        raise RefusedError(401, Refused.UNKNOWN, message)
    return token_id, secret
