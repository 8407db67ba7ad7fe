# SPDX-License-Identifier: Apache-2.0
"""charons in memory: they keep state, negotiate with each other, and refuse what the real one refuses."""

import itertools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from appliance.netcore.charon.door import Charon
from appliance.netcore.charon.listing import (
    AgreedChild,
    AgreedSa,
    CharonStats,
    LoadedCertificate,
    LoadedChild,
    LoadedConnection,
)
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address
from appliance.netcore.tunnel import ChildSa, IkeSa

_MIRRORED = (("local_ts", "remote_ts"), ("remote_ts", "local_ts"))


@dataclass
class Wire:
    """The network between fake charons: who answers at which address."""

    charons: dict[str, "FakeCharon"] = field(default_factory=dict)


class FakeCharon(Charon):
    """One charon at `address`. Set `running` to False and it is as if it had been killed."""

    def __init__(self, wire: Wire, address: str) -> None:
        super().__init__(Path("/nowhere/charon.vici"))
        self.address = address
        self.running = True
        self.reloads = 0
        self.sas: dict[str, IkeSa] = {}
        self.initiated: list[tuple[str, str]] = []
        self._wire = wire
        self._connections: dict[str, Mapping[str, Any]] = {}
        self._certificates: tuple[LoadedCertificate, ...] = ()
        self._made_by: dict[str, Mapping[str, Any]] = {}
        self._ids = itertools.count(1)
        wire.charons[address] = self

    def kill(self) -> None:
        """All that it knew is gone, and its peers are told nothing."""
        self.running = False
        self.sas.clear()
        self._connections.clear()
        self._certificates = ()

    def start(self) -> None:
        """As it is after a restart: it knows nothing."""
        self.running = True

    async def stats(self) -> CharonStats:
        self._check()
        return CharonStats(frozenset({"kernel-libipsec", "kernel-netlink", "vici"}), "now", len(self.sas))

    async def list_sas(self) -> tuple[IkeSa, ...]:
        self._check()
        return tuple(self.sas.values())

    async def list_agreed(self, connection: str | None = None) -> tuple[AgreedSa, ...]:
        self._check()
        wanted = [sa for sa in self.sas.values() if connection in (None, sa.name) and sa.established]
        return tuple(self._agreed(sa) for sa in wanted)

    async def list_connections(self) -> dict[str, LoadedConnection]:
        self._check()
        return {name: _listed(settings) for name, settings in self._connections.items()}

    async def connection_names(self) -> frozenset[str]:
        return frozenset(await self.list_connections())

    async def list_certificates(self) -> tuple[LoadedCertificate, ...]:
        self._check()
        return self._certificates

    async def load_connection(self, name: str, settings: Mapping[str, Any]) -> None:
        self._check()
        self._connections[name] = settings

    async def unload_connection(self, name: str) -> None:
        self._check()
        self._connections.pop(name, None)

    async def load_credentials(self, ca: tuple[str, ...], leaf: str, key: bytes) -> None:
        self._check()
        if b"PRIVATE KEY" not in key:
            raise DoorError("charon refused 'load-key': parsing any private key failed")
        self._certificates = (
            *(LoadedCertificate(ssl.PEM_cert_to_DER_cert(pem), has_key=False) for pem in ca),
            LoadedCertificate(ssl.PEM_cert_to_DER_cert(leaf), has_key=True),
        )

    async def reload_settings(self) -> None:
        self._check()
        self.reloads += 1

    async def initiate(self, connection: str, child: str, timeout: float) -> None:
        self._check()
        self.initiated.append((connection, child))
        settings = self._connections.get(connection)
        if settings is None or child not in settings["children"]:
            raise DoorError(f"charon refused 'initiate': CHILD_SA config '{child}' not found")
        if any(sa.name == connection and sa.carrying(child) for sa in self.sas.values()):
            raise DoorError(f"charon refused 'initiate': not establishing {child} due to existing duplicate")
        peer = self._wire.charons.get(settings["remote_addrs"][0])
        if peer is None or not peer.running:
            raise DoorError(f"charon refused 'initiate': establishing CHILD_SA '{child}' failed: giving up")
        back = peer.accept(self.address, settings, child)
        self._install(connection, child, peer.address)
        peer.install_accepted(back, child, self.address)

    def accept(self, address: str, settings: Mapping[str, Any], child: str) -> str:
        """The name of our connection that fits the peer's; raises what the peer would see."""
        if not self._certificates:
            raise DoorError("charon refused 'initiate': received AUTHENTICATION_FAILED notify error")
        for name, own in self._connections.items():
            if (
                own["remote"]["id"] == settings["local"]["id"]
                and own["local"]["id"] == settings["remote"]["id"]
            ):
                wished, offered = own["children"].get(child), settings["children"][child]
                if wished is not None and all(wished[a] == offered[b] for a, b in _MIRRORED):
                    return name
                raise DoorError(f"charon refused 'initiate': received TS_UNACCEPTABLE from {address}")
        raise DoorError("charon refused 'initiate': received AUTHENTICATION_FAILED notify error")

    def install_accepted(self, connection: str, child: str, address: str) -> None:
        self._install(connection, child, address)

    async def terminate_child(self, child_id: str) -> None:
        self._check()
        for sa in list(self.sas.values()):
            gone = [c for c in sa.children if c.id == child_id]
            self._keep(sa, [c for c in sa.children if c.id != child_id])
            for one in gone:
                self._tell_gone(sa, one.name)

    async def terminate_ike(self, connection: str, force: bool) -> None:
        for sa in list(self.sas.values()):
            if sa.name == connection:
                await self.terminate_ike_id(sa.id, force)

    async def terminate_ike_id(self, ike_id: str, force: bool) -> None:
        self._check()
        gone = self.sas.pop(ike_id, None)
        if gone is not None:
            self._tell_gone(gone, None)

    def forget(self, address: str, child: str | None) -> None:
        """The peer at `address` told us that a child, or all, is gone."""
        for sa in list(self.sas.values()):
            if str(sa.remote) == address and child is None:
                del self.sas[sa.id]
            elif str(sa.remote) == address:
                oldest = max((c.age, c.id) for c in sa.children if c.name == child)
                self._keep(sa, [c for c in sa.children if (c.age, c.id) != oldest])

    def pass_time(self, seconds: int) -> None:
        """Everything that is installed grows older."""
        for sa in list(self.sas.values()):
            children = tuple(replace(child, age=child.age + seconds) for child in sa.children)
            self.sas[sa.id] = replace(sa, age=sa.age + seconds, children=children)

    def _check(self) -> None:
        if not self.running:
            raise NotYetError("waiting for charon: nothing answers")

    def _keep(self, sa: IkeSa, children: list[ChildSa]) -> None:
        self.sas[sa.id] = replace(sa, children=tuple(children))

    def _agreed(self, sa: IkeSa) -> AgreedSa:
        """By the settings that were loaded when it was made, and not by those of now."""
        made_by = self._made_by[sa.id]
        children = [(child, _listed(self._made_by[child.id]).children[child.name]) for child in sa.children]
        return AgreedSa(
            name=sa.name,
            id=sa.id,
            local_id=made_by["local"]["id"],
            remote_id=made_by["remote"]["id"],
            children=tuple(
                AgreedChild(child.name, child.id, loaded.local_ts, loaded.remote_ts, None)
                for child, loaded in children
            ),
        )

    def _tell_gone(self, sa: IkeSa, child: str | None) -> None:
        peer = self._wire.charons.get(str(sa.remote))
        if peer is not None and peer.running:
            peer.forget(self.address, child)

    def _install(self, connection: str, child: str, remote: str) -> None:
        sa = next((sa for sa in self.sas.values() if sa.name == connection), None)
        if sa is None:
            sa = IkeSa(connection, str(next(self._ids)), "ESTABLISHED", _host(self.address), _host(remote))
            self._made_by[sa.id] = self._connections[connection]
        installed = ChildSa(child, str(next(self._ids)), "INSTALLED", encap=True)
        self._made_by[installed.id] = self._connections[connection]
        self.sas[sa.id] = replace(sa, children=(*sa.children, installed))


def _host(address: str) -> Address:
    return ip_address(address)


def _listed(settings: Mapping[str, Any]) -> LoadedConnection:
    return LoadedConnection(
        local_addrs=tuple(settings.get("local_addrs", ("%any",))),
        remote_addrs=tuple(settings["remote_addrs"]),
        local_id=settings["local"]["id"],
        remote_id=settings["remote"]["id"],
        rekey_time=_seconds(settings["rekey_time"]),
        dpd_delay=_seconds(settings["dpd_delay"]),
        children={
            name: LoadedChild(
                frozenset(child["local_ts"]), frozenset(child["remote_ts"]), _seconds(child["rekey_time"])
            )
            for name, child in settings["children"].items()
        },
    )


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))
