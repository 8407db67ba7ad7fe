# SPDX-License-Identifier: Apache-2.0
"""The local listener: commands of the other verbs, over a socket that only its owner may open."""

import json

from aiohttp import web

from cloud.app import App
from cloud.commands import COMMAND_PATH
from cloud.faults import CommandError
from cloud.replicas.commands import dispatch

_LARGEST_COMMAND = 1 << 26  # manifests of thousands of nodes


def admin_application(app: App) -> web.Application:
    """The listener's requests: a command by its name, its parameters as a JSON object, its result as JSON."""

    async def run(request: web.Request) -> web.Response:
        try:
            parameters = json.loads(await request.read())
            result = await dispatch(app, request.match_info["name"], parameters)
        except CommandError as error:
            return web.json_response({"error": str(error), "code": error.code}, status=400)
        except json.JSONDecodeError as error:
            return web.json_response({"error": f"no JSON: {error}", "code": 2}, status=400)
        return web.json_response(result)

    application = web.Application(client_max_size=_LARGEST_COMMAND)
    application.router.add_post(COMMAND_PATH + "{name}", run)
    return application
