# SPDX-License-Identifier: Apache-2.0
"""charon's connections and credentials as tables."""

import asyncio
import ssl
from collections.abc import Mapping
from ipaddress import ip_network
from typing import cast

from appliance.netcore.charon.door import Charon
from appliance.netcore.charon.listing import (
    AgreedChild,
    LoadedCertificate,
    LoadedChild,
    LoadedConnection,
)
from appliance.netcore.desired.connections import Child, Connection, settings
from appliance.netcore.desired.credentials import KEY, Credentials
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.model import Tunnel
from appliance.netcore.reconcile.remembered import Remembered, digest

#: Stands for a connection that was found loaded and is not as it was put: equal to no wish.
_UNKNOWN = Connection("", "", {}, Tunnel())


class _Put:
    """A connection that was put: equal to the wish that it was put for."""

    __slots__ = ("_whole",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and digest(repr(other)) == self._whole


class ConnectionTable:
    """The connections that charon has loaded, with the SAs that were made by them.

    charon does not list all that it was given, so what was put is remembered, and what can be seen of it is
    compared. After a restart of the agent everything is put once more, which leaves SAs alone that are as
    the connections have it.
    """

    def __init__(self, charon: Charon) -> None:
        self._charon = charon
        self._put = Remembered()
        #: Connections that may be unloaded while SAs of theirs are still up; None before the first look.
        self._leaving: set[str] | None = None

    async def observe(self) -> Mapping[str, Connection]:
        loaded = await self._charon.list_connections()
        if self._leaving is None:
            # An agent that ended between the two halves of `delete` left SAs that no connection stands for.
            self._leaving = {sa.name for sa in await self._charon.list_agreed()} - loaded.keys()
        found = {name: self._as_put(name, seen) for name, seen in loaded.items()}
        return dict.fromkeys(self._leaving, _UNKNOWN) | found

    async def put(self, key: str, value: Connection) -> None:
        if value.waits_for:
            # What is loaded stays: pinned to the source that it had, its SAs may outlive a short cut.
            raise NotYetError(f"waiting for {value.waits_for}")
        await self._charon.load_connection(key, settings(value))
        await self._end_misfits(key, value)
        self._put.remember(key, digest(repr(value)), digest(_as_listed(value)))
        if self._leaving:
            self._leaving.discard(key)

    async def delete(self, key: str) -> None:
        """A peer that left the plan loses its tunnel with its connection."""
        if self._leaving is not None:
            self._leaving.add(key)
        await self._charon.unload_connection(key)
        self._put.forget(key)
        await self._charon.terminate_ike(key, force=True)
        if self._leaving is not None:
            self._leaving.discard(key)

    async def _end_misfits(self, name: str, wished: Connection) -> None:
        """End what was agreed under another wish, since a changed connection leaves its SAs as they were.

        A device that was enrolled anew is another identity: the one before it may be stolen. And a child of
        other selectors, or of another interface, carries nothing of what it is now meant for.
        """
        for sa in await self._charon.list_agreed(name):
            if (sa.local_id, sa.remote_id) != (wished.local_id, wished.remote_id):
                await self._charon.terminate_ike_id(sa.id, force=True)
                continue
            for child in sa.children:
                if not _child_fits(child, wished.children.get(child.name)):
                    await self._charon.terminate_child(child.id)

    def _as_put(self, name: str, seen: LoadedConnection) -> Connection:
        put = self._put.recall(name)
        if put is None or put[1] != digest(_as_seen(seen)):
            return _UNKNOWN
        # It stands for the wish, to whoever compares.
        return cast("Connection", _Put(put[0]))


def looks_like(seen: LoadedConnection, put: Connection) -> bool:
    """Whether what charon lists is what `put` asked for, as far as charon tells."""
    return _as_seen(seen) == _as_listed(put)


def _as_seen(seen: LoadedConnection) -> str:
    children = {
        name: (sorted(map(_prefix, child.local_ts)), sorted(map(_prefix, child.remote_ts)))
        for name, child in sorted(seen.children.items())
    }
    return repr((seen.local_id, seen.remote_id, seen.local_addrs, seen.remote_addrs, children))


def _as_listed(put: Connection) -> str:
    children = {
        name: (sorted(map(str, child.local_ts)), sorted(map(str, child.remote_ts)))
        for name, child in sorted(put.children.items())
    }
    addresses = (put.local_addrs or ("%any",), put.remote_addrs or ("%any",))
    return repr((put.local_id, put.remote_id, *addresses, children))


def _child_fits(agreed: AgreedChild, wished: Child | None) -> bool:
    return wished is not None and agreed.if_id == wished.if_id and _child_looks_like(agreed, wished)


def _child_looks_like(seen: LoadedChild | AgreedChild, put: Child) -> bool:
    wished = ({str(ts) for ts in put.local_ts}, {str(ts) for ts in put.remote_ts})
    return ({_prefix(ts) for ts in seen.local_ts}, {_prefix(ts) for ts in seen.remote_ts}) == wished


def _prefix(selector: str) -> str:
    """charon may write a host's selector without its length."""
    try:
        return str(ip_network(selector))
    except ValueError:
        return selector


class CredentialTable:
    """What charon proves itself with. It keeps nothing over a restart, so this looks at every pass."""

    def __init__(self, charon: Charon) -> None:
        self._charon = charon
        self._put: Credentials | None = None

    async def observe(self) -> Mapping[str, Credentials]:
        loaded = await self._charon.list_certificates()
        if self._put is not None and holds(loaded, self._put):
            return {KEY: self._put}
        return {}

    async def put(self, key: str, value: Credentials) -> None:
        try:
            secret = await asyncio.to_thread(value.key.read_bytes)
        except FileNotFoundError as error:
            raise NotYetError(f"waiting for the device's key: {value.key} is not there") from error
        except OSError as error:
            raise DoorError(f"can't read the device's key {value.key}: {error.strerror}") from error
        await self._charon.load_credentials(value.ca, value.leaf, secret)
        self._put = value

    async def delete(self, key: str) -> None:
        """Never asked for: a device with a plan has credentials."""


def holds(loaded: tuple[LoadedCertificate, ...], wished: Credentials) -> bool:
    """Whether charon has these certificates, and the key of the leaf."""
    there = {certificate.der for certificate in loaded}
    keyed = {certificate.der for certificate in loaded if certificate.has_key}
    leaf = ssl.PEM_cert_to_DER_cert(wished.leaf)
    return leaf in keyed and all(ssl.PEM_cert_to_DER_cert(ca) in there for ca in wished.ca)
