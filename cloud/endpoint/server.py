# SPDX-License-Identifier: Apache-2.0
"""All listeners together: started, kept in certificates, and ended."""

import asyncio
import json
import logging
import signal
import ssl
from collections.abc import Coroutine, Set
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

import uvloop
from aiohttp import web

from cloud.app import App
from cloud.ca.keys import PRIVATE_MODE
from cloud.endpoint.admin import admin_application
from cloud.endpoint.clusters import EVERYBODY, follow_all
from cloud.endpoint.control import control_application
from cloud.endpoint.enrolment import enrolment_application
from cloud.endpoint.polls import Polls
from cloud.endpoint.sockets import listen_tcp, listen_unix
from cloud.endpoint.tls import control_context, enrolment_context
from cloud.files import write_atomic
from cloud.paths import CloudPaths

log = logging.getLogger(__name__)

#: What requests in progress get at the end, in seconds; held ones are answered at once.
_GRACE = 1.0
_SOONEST_RENEWAL = timedelta(minutes=1)
_RENEW_AGAIN = timedelta(hours=1)


class Server:
    """The running listeners. `start` gives one; `close` ends it."""

    def __init__(self, app: App, paths: CloudPaths) -> None:
        self.polls = Polls()
        self.control_port = 0
        self.enroll_port = 0
        self._app = app
        self._paths = paths
        self._certificate = paths.keys / "server.pem"
        self._contexts: list[ssl.SSLContext] = []
        self._runners: list[web.AppRunner] = []
        self._renewal: asyncio.Task[None] | None = None
        self._exchanges: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, app: App, paths: CloudPaths) -> Self:
        """Bind everything, then serve. Raises `ListenError` and `OSError`; then nothing is left open."""
        server = cls(app, paths)
        try:
            await server._start()
        except BaseException:
            await server.close()
            raise
        return server

    async def close(self) -> None:
        """End the held requests, give the others a moment, and close."""
        for task in (self._renewal, self._exchanges):
            if task:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self.polls.close()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self._paths.admin_socket.unlink(missing_ok=True)

    async def _start(self) -> None:
        next_certificate = self._write_certificate()
        settings, file = self._app.settings, self._paths.settings
        control = control_context(self._certificate, self._app.issuer.certificate_pem)
        enrolment = enrolment_context(self._certificate)
        self._contexts = [control, enrolment]
        self.control_port = await self._serve_tcp(
            control_application(self._app, self.polls),
            settings.control_port,
            control,
            f"control_port in {file}",
        )
        self.enroll_port = await self._serve_tcp(
            enrolment_application(self._app), settings.enroll_port, enrolment, f"enroll_port in {file}"
        )
        runner = await self._runner(admin_application(self._app))
        await web.SockSite(runner, listen_unix(self._paths.admin_socket)).start()
        self._app.changed = self._changed
        self._exchanges = asyncio.create_task(follow_all(self._app, self.polls, self._paths.links))
        self._renewal = asyncio.create_task(self._keep_certificate(next_certificate))

    def _changed(self, names: Set[str]) -> None:
        self.polls.wake({*names, EVERYBODY})

    async def _serve_tcp(
        self, application: web.Application, port: int, context: ssl.SSLContext, setting: str
    ) -> int:
        runner = await self._runner(application)
        listener = listen_tcp(self._app.settings.listen, port, setting)
        await web.SockSite(runner, listener, ssl_context=context).start()
        return int(listener.getsockname()[1])

    async def _runner(self, application: web.Application) -> web.AppRunner:
        # A device that hangs up frees its held request; nothing is ever awaited in the middle of a change.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_GRACE, handler_cancellation=True
        )
        self._runners.append(runner)
        await runner.setup()
        return runner

    def _write_certificate(self) -> timedelta:
        """Make the listeners' certificate; how long until the next is due."""
        now = self._app.now()
        made = self._app.issuer.server_certificate(self._app.settings.addresses, now)
        write_atomic(self._certificate, made.pem, PRIVATE_MODE)
        return max(made.window.renew_from - now, _SOONEST_RENEWAL)

    async def _keep_certificate(self, due: timedelta) -> None:
        while True:
            await asyncio.sleep(due.total_seconds())
            try:
                due = self._write_certificate()
                for context in self._contexts:
                    context.load_cert_chain(self._certificate)  # for connections from now on
            except OSError as error:
                # A full disk, say: there is a third of the old one's life to try again in.
                log.error("event=certificate-not-renewed reason=%s", json.dumps(str(error)))  # noqa: TRY400
                due = _RENEW_AGAIN
            else:
                log.info("event=certificate-renewed file=%s", self._certificate)


def run(app: App, paths: CloudPaths, beside: Coroutine[Any, Any, None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, with `beside` going on as long. Raises `ListenError` and `OSError`."""
    uvloop.run(_run(app, paths, beside))


async def _run(app: App, paths: CloudPaths, beside: Coroutine[Any, Any, None] | None) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    server = await Server.start(app, paths)
    log.info("event=serving control=%d enrolment=%d", server.control_port, server.enroll_port)
    work = asyncio.create_task(beside or ending.wait())
    work.add_done_callback(lambda _: ending.set())
    try:
        await ending.wait()
        log.info("event=ending")
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    finally:
        await server.close()
