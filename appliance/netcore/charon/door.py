# SPDX-License-Identifier: Apache-2.0
"""What the appliance asks of charon, one typed function each.

All of them raise `NotYetError` while charon is not there, and `DoorError` with charon's reason when it
refuses.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from appliance.netcore.charon.listing import (
    AgreedSa,
    CharonStats,
    LoadedCertificate,
    LoadedConnection,
    read_agreed,
    read_certificate,
    read_connections,
    read_sas,
    read_stats,
)
from appliance.netcore.charon.session import Section, Session, open_session
from appliance.netcore.errors import DoorError
from appliance.netcore.tunnel import IkeSa

_T = TypeVar("_T")
_TIMEOUT = 10.0
#: Once charon has not answered, it gets no more than this until it does: a pass asks it several times.
_IMPATIENCE = 1.0


class Charon:
    """charon behind its VICI socket. Every command has a connection of its own, so none waits for another.

    `timeout` is in seconds, for each command but `initiate`.
    """

    def __init__(self, socket: Path, timeout: float = _TIMEOUT) -> None:
        self.socket = socket
        self._timeout = timeout
        self._patience = timeout

    async def stats(self) -> CharonStats:
        return read_stats(await self._command("stats"))

    async def list_sas(self) -> tuple[IkeSa, ...]:
        return tuple(await self._collect(read_sas, "list-sas", "list-sa"))

    async def list_agreed(self, connection: str | None = None) -> tuple[AgreedSa, ...]:
        """Who the established IKE SAs are between and what for: of one connection, or of all."""
        only = {"ike": connection} if connection is not None else None
        return tuple(await self._collect(read_agreed, "list-sas", "list-sa", only))

    async def list_connections(self) -> dict[str, LoadedConnection]:
        return dict(await self._collect(read_connections, "list-conns", "list-conn"))

    async def connection_names(self) -> frozenset[str]:
        """Of all connections that are loaded; charon tells no more of a thousand in a moment."""
        answer = await self._command("get-conns")
        return frozenset(name.decode(errors="replace") for name in answer.get("conns", ()))

    async def list_certificates(self) -> tuple[LoadedCertificate, ...]:
        """The X.509 certificates that were loaded, and those that charon saw of its peers."""
        asked = {"type": "X509", "flag": "ANY"}
        return tuple(
            await self._collect(
                lambda section: (read_certificate(section),), "list-certs", "list-cert", asked
            )
        )

    async def load_connection(self, name: str, settings: Mapping[str, Any]) -> None:
        """Load or replace a connection; the SAs that it has are left alone."""
        await self._command("load-conn", {name: settings})

    async def unload_connection(self, name: str) -> None:
        """Forget a connection; its SAs stay. An absent one is a success."""
        try:
            await self._command("unload-conn", {"name": name})
        except DoorError:
            if name in await self.list_connections():
                raise

    async def load_credentials(self, ca: tuple[str, ...], leaf: str, key: bytes) -> None:
        """Replace all credentials by these: PEM texts, and the private key's PEM, which charon keeps."""
        async with self._asking("load-creds") as session:
            await session.command("clear-creds")
            await session.command("flush-certs", {"type": "X509"})
            for pem in ca:
                await session.command("load-cert", {"type": "X509", "flag": "CA", "data": pem})
            await session.command("load-cert", {"type": "X509", "flag": "NONE", "data": leaf})
            await session.command("load-key", {"type": "any", "data": key})

    async def reload_settings(self) -> None:
        """Read strongswan.conf anew. IKE SAs that are made from now on have its retransmission."""
        await self._command("reload-settings")

    async def initiate(self, connection: str, child: str, timeout: float) -> None:
        """Bring up a child, and the IKE SA under it where there is none; returns when it is installed.

        `DoorError` has what charon logged last on the way, which says more than its answer does.
        """
        wish = {"ike": connection, "child": child, "timeout": str(int(timeout * 1000)), "loglevel": "1"}
        said: list[str] = []
        try:
            async with asyncio.timeout(timeout + 1):
                await self._control("initiate", wish, said.append)
        except TimeoutError as error:
            raise DoorError(f"{connection}/{child} is not up after {timeout:.0f} s{_last(said)}") from error
        except DoorError as error:
            raise type(error)(f"{error}{_last(said)}") from error

    async def terminate_child(self, child_id: str) -> None:
        """End one CHILD SA by its id; the peer is told, and nothing waits for its answer."""
        await self._terminate({"child-id": child_id})

    async def terminate_ike(self, connection: str, force: bool) -> None:
        """End all IKE SAs of a connection; `force` does not wait for a peer that may be gone."""
        await self._terminate({"ike": connection, "force": "yes" if force else "no"})

    async def terminate_ike_id(self, ike_id: str, force: bool) -> None:
        """End one IKE SA by its id."""
        await self._terminate({"ike-id": ike_id, "force": "yes" if force else "no"})

    async def _terminate(self, what: Section) -> None:
        try:
            await self._command("terminate", {**what, "timeout": "-1"})
        except DoorError as error:
            if "no matching" not in str(error):
                raise

    async def _control(self, name: str, wish: Section, heard: Callable[[str], None]) -> None:
        async with await open_session(self.socket) as session:
            async for entry in session.stream(name, "control-log", wish):
                heard(entry.get("msg", b"").decode(errors="replace"))

    async def _command(self, name: str, message: Section | None = None) -> Section:
        async with self._asking(name) as session:
            return await session.command(name, message)

    async def _collect(
        self, read: Callable[[Section], Iterable[_T]], name: str, event: str, message: Section | None = None
    ) -> list[_T]:
        """What `read` makes of each section as it comes: those of a thousand connections are 10 MB."""
        async with self._asking(name) as session:
            return [one async for section in session.stream(name, event, message) for one in read(section)]

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[Session]:
        """A connection to charon, for as long as there is patience with it."""
        patience = self._patience
        try:
            async with asyncio.timeout(patience), await open_session(self.socket) as session:
                yield session
        except TimeoutError as error:
            self._patience = min(self._timeout, _IMPATIENCE)
            raise DoorError(f"charon did not answer {what!r} in {patience:g} s") from error
        except DoorError:
            self._patience = self._timeout
            raise
        self._patience = self._timeout


#: Lines of charon's log that say why something failed, not what it does.
_TELLING = ("received", "failed", "no ", "unable", "giving up", "not ", "error", "mismatch", "constraint")

#: Lines that have such a word and only tell of packets, or of charon tidying up after the failure.
_NOISE = ("received packet", "sending packet", "generating ", "parsed ", "deleting policy", "querying ")


def _last(said: list[str]) -> str:
    telling = [
        line
        for line in said
        if any(word in line.lower() for word in _TELLING) and not line.startswith(_NOISE)
    ]
    return f": {'; '.join(telling[-2:])}" if telling else ""
