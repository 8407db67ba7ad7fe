# SPDX-License-Identifier: Apache-2.0
"""This device's part in telling and learning who carries which edge."""

import asyncio
import itertools
import logging
import ssl
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.ownership.access import RefusedError, TlsFiles, check_peer, tls_context
from appliance.netcore.ownership.claims import Claims, Snapshot, snapshot_of
from appliance.netcore.ownership.stream import Teller, follow, hang_up
from appliance.netcore.ownership.tasks import Tries, keep
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address, Role

PORT = 7410
_HANDSHAKE = 5.0

_log = logging.getLogger(__name__)

_TELLERS = frozenset({Role.CONNECTOR})
_LISTENERS = frozenset({Role.CONNECTOR, Role.CLOUD_NODE})


class Ownership:
    """Serves our claims if we are a connector, and follows every other connector.

    `changed` is called whenever `owners()` gives another answer than before. A stream that breaks leaves its
    last claims standing, so that an agent's crash drops no traffic.
    """

    def __init__(
        self, changed: Callable[[], None], port: int = PORT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = changed
        self._port = port
        self._clock = clock
        self._plan: Plan | None = None
        self._files: TlsFiles | None = None
        self._claims = Claims()
        self._own: dict[str, float] = {}
        self._following: dict[Hashable, asyncio.Task[None]] = {}
        self._serving: dict[Hashable, asyncio.Task[None]] = {}
        self._listeners: dict[asyncio.Task[None], _Listener] = {}

    def owners(self) -> Mapping[str, str]:
        """The connector that carries each edge, by name; our own name where it is us."""
        return self._claims.owners()

    def configure(self, plan: Plan, files: TlsFiles) -> None:
        """Take this plan: listen, follow, and drop whoever has no part in it any more."""
        self._plan, self._files = plan, files
        connectors = {
            name: peer
            for name, peer in plan.peers.items()
            if peer.role is Role.CONNECTOR and not peer.cluster
        }
        self._update(self._claims.only({*connectors, plan.identity.name}))
        trust = (plan.trust.ca, files, files.stamp())
        keep(
            self._following,
            {
                (name, peer.ike_id, peer.underlay, trust): partial(self._follow, name, peer.underlay)
                for name, peer in connectors.items()
                if peer.underlay and plan.place.role in _LISTENERS
            },
        )
        keep(
            self._serving,
            {
                (address, trust): partial(self._serve, str(address))
                for address in plan.underlay
                if plan.place.role in _TELLERS
            },
        )
        for listener in self._listeners.values():
            if not self._is_admitted(listener.writer, _LISTENERS):
                listener.dismiss()

    def update_own(self, since: Mapping[str, float]) -> None:
        """What we carry now: for each edge the monotonic time since when."""
        if self._plan is None or dict(since) == self._own:
            return
        self._own = dict(since)
        own = self._plan.identity.name
        self._update(self._claims.told(snapshot_of(own, self._own, self._clock()), self._clock()))
        for listener in self._listeners.values():
            listener.teller.tell()

    async def close(self) -> None:
        """Stop listening and following."""
        tasks = [*self._following.values(), *self._serving.values(), *self._listeners]
        keep(self._following, {})
        keep(self._serving, {})
        for listener in self._listeners.values():
            listener.dismiss()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _update(self, claims: Claims) -> None:
        before = self._claims.owners()
        self._claims = claims
        if claims.owners() != before:
            self._changed()

    def _admit(self, writer: asyncio.StreamWriter, roles: frozenset[Role]) -> str:
        if self._plan is None:
            raise RefusedError("there is no plan to know anybody by")
        return check_peer(writer.get_extra_info("peercert"), self._plan, roles)

    def _is_admitted(self, writer: asyncio.StreamWriter, roles: frozenset[Role]) -> bool:
        try:
            self._admit(writer, roles)
        except RefusedError:
            return False
        return True

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        if self._plan is None or self._files is None:
            raise NotYetError("waiting for a plan")
        return tls_context(purpose, self._files, self._plan.trust.ca)

    def _hear(self, tries: Tries, snapshot: Snapshot) -> None:
        tries.succeeded()
        self._update(self._claims.told(snapshot, self._clock()))

    async def _follow(self, name: str, addresses: tuple[Address, ...]) -> None:
        """Try the connector's addresses in turn for as long as the task lives."""
        tries = Tries(f"following {name}")
        for address in itertools.cycle(addresses):
            try:
                await follow(
                    str(address),
                    self._port,
                    self._context(ssl.Purpose.SERVER_AUTH),
                    partial(self._admit_owner, name),
                    partial(self._hear, tries),
                )
            except (OSError, ValueError, RefusedError, DoorError) as error:
                await tries.failed(error)

    def _admit_owner(self, name: str, writer: asyncio.StreamWriter) -> str:
        found = self._admit(writer, _TELLERS)
        if found != name:
            raise RefusedError(f"{found} answers at the address of {name}")
        return found

    async def _serve(self, address: str) -> None:
        tries = Tries(f"telling who carries which edge at {address}")
        while True:
            try:
                server = await asyncio.start_server(
                    self._listened,
                    address,
                    self._port,
                    ssl=self._context(ssl.Purpose.CLIENT_AUTH),
                    ssl_handshake_timeout=_HANDSHAKE,
                )
            except (OSError, DoorError) as error:
                await tries.failed(error)
                continue
            tries.succeeded()
            try:
                await server.serve_forever()
            finally:
                server.close()

    async def _listened(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            name = self._admit(writer, _LISTENERS)
            teller = Teller(writer, self._current)
            if task is not None:
                self._listeners[task] = _Listener(writer, teller)
            _log.debug("%s listens", name)
            await teller.run()
        except (OSError, RefusedError) as error:
            _log.info("an ownership stream ended: %s", error)
        finally:
            if task is not None:
                self._listeners.pop(task, None)
            await hang_up(writer)

    def _current(self) -> Snapshot:
        own = self._plan.identity.name if self._plan is not None else ""
        return snapshot_of(own, self._own, self._clock())


@dataclass(frozen=True)
class _Listener:
    """One end that listens to us."""

    writer: asyncio.StreamWriter
    teller: Teller

    def dismiss(self) -> None:
        self.writer.close()
        self.teller.tell()
