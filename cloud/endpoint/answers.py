# SPDX-License-Identifier: Apache-2.0
"""How a listener says no: always the same small JSON (`Refusal`), whoever in the request's way says it."""

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from appliance.netcore.plan.exchange import Refusal
from appliance.netcore.plan.values import encode
from cloud.planner.inventory import InventoryError
from cloud.publish import PlanningError
from cloud.store.database import StoreError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """Ends a request with a refusal."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def json_answer(value: object, status: int = 200) -> web.Response:
    """A value of ours as a response."""
    return web.Response(body=encode(value), status=status, content_type="application/json")


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns `RefusedError`, and what aiohttp itself refuses, into the body that devices know."""
    try:
        return await handler(request)
    except RefusedError as error:
        log.warning("event=refused from=%s path=%s code=%s", request.remote, _quoted(request), error.code)
        answer = json_answer(Refusal(error.code, error.message), error.status)
        if error.status == web.HTTPUnauthorized.status_code:
            answer.headers["WWW-Authenticate"] = (
                'Basic realm="orillo"'  # RFC 9110, section 15.5.2, asks for it
            )
        return answer
    except (StoreError, InventoryError, PlanningError) as error:
        log.error("event=failed path=%s reason=%s", _quoted(request), json.dumps(str(error)))  # noqa: TRY400
        return json_answer(
            Refusal("operator-failed", "the operator can't do this at present, see its log"), 503
        )
    except web.HTTPException as error:
        return json_answer(Refusal(f"http-{error.status}", error.reason), error.status)


def _quoted(request: web.Request) -> str:
    """The path as one value of a log line, whatever characters the caller put into it."""
    return json.dumps(request.path)
