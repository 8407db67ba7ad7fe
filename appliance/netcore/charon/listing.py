# SPDX-License-Identifier: Apache-2.0
"""charon's listings as typed values. Pure; names and values in bytes end here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from appliance.netcore.plan.values import Address
from appliance.netcore.tunnel import ChildSa, IkeSa


@dataclass(frozen=True)
class CharonStats:
    """What charon says of itself: its plug-ins, and the figures that `status` shows."""

    plugins: frozenset[str]
    uptime: str
    ike_sas: int


@dataclass(frozen=True)
class LoadedChild:
    """A child of a loaded connection, as far as charon tells."""

    local_ts: frozenset[str]
    remote_ts: frozenset[str]
    rekey_time: int


@dataclass(frozen=True)
class LoadedConnection:
    """A loaded connection, as far as charon tells."""

    local_addrs: tuple[str, ...]
    remote_addrs: tuple[str, ...]
    local_id: str
    remote_id: str
    rekey_time: int
    dpd_delay: int
    children: Mapping[str, LoadedChild]


@dataclass(frozen=True)
class AgreedChild:
    """What a CHILD SA that carries packets was agreed for; `if_id` is its XFRM interface's, if it has one."""

    name: str
    id: str
    local_ts: frozenset[str]
    remote_ts: frozenset[str]
    if_id: int | None


@dataclass(frozen=True)
class AgreedSa:
    """Who an established IKE SA is between, and its children."""

    name: str
    id: str
    local_id: str
    remote_id: str
    children: tuple[AgreedChild, ...]


@dataclass(frozen=True)
class LoadedCertificate:
    """A certificate that charon holds: its DER bytes, and whether charon holds its private key."""

    der: bytes
    has_key: bool


def read_stats(section: Mapping[str, Any]) -> CharonStats:
    """The answer of `stats`."""
    return CharonStats(
        plugins=frozenset(_text(name) for name in section.get("plugins", ())),
        uptime=_text(section.get("uptime", {}).get("since", b"")),
        ike_sas=_number(section.get("ikesas", {}), "total"),
    )


def read_sas(section: Mapping[str, Any]) -> Iterator[IkeSa]:
    """One event of `list-sas`."""
    for name, sa in section.items():
        children = tuple(_read_child(child) for child in sa.get("child-sas", {}).values())
        yield IkeSa(
            name=name,
            id=_text(sa["uniqueid"]),
            state=_text(sa["state"]),
            local=_address(sa.get("local-host")),
            remote=_address(sa.get("remote-host")),
            age=_number(sa, "established"),
            children=children,
        )


def _read_child(sa: Mapping[str, Any]) -> ChildSa:
    return ChildSa(
        name=_text(sa["name"]),
        id=_text(sa["uniqueid"]),
        state=_text(sa["state"]),
        age=_number(sa, "install-time"),
        bytes_in=_number(sa, "bytes-in"),
        bytes_out=_number(sa, "bytes-out"),
        packets_in=_number(sa, "packets-in"),
        packets_out=_number(sa, "packets-out"),
        encap=sa.get("encap") == b"yes",
    )


def read_agreed(section: Mapping[str, Any]) -> Iterator[AgreedSa]:
    """One event of `list-sas`, for what was agreed. What is on its way, up or down, is left out."""
    for (name, raw), sa in zip(section.items(), read_sas(section), strict=True):
        if sa.established:
            carrying = {child.id for child in sa.children if child.carries}
            children = map(_read_agreed_child, raw.get("child-sas", {}).values())
            yield AgreedSa(
                name=name,
                id=sa.id,
                local_id=_text(raw.get("local-id", b"")),
                remote_id=_text(raw.get("remote-id", b"")),
                children=tuple(child for child in children if child.id in carrying),
            )


def _read_agreed_child(sa: Mapping[str, Any]) -> AgreedChild:
    return AgreedChild(
        name=_text(sa["name"]),
        id=_text(sa["uniqueid"]),
        local_ts=frozenset(_text(value) for value in sa.get("local-ts", ())),
        remote_ts=frozenset(_text(value) for value in sa.get("remote-ts", ())),
        if_id=int(sa["if-id-out"], 16) if "if-id-out" in sa else None,
    )


def read_connections(section: Mapping[str, Any]) -> Iterator[tuple[str, LoadedConnection]]:
    """One event of `list-conns`."""
    for name, conn in section.items():
        yield (
            name,
            LoadedConnection(
                local_addrs=tuple(_text(value) for value in conn.get("local_addrs", ())),
                remote_addrs=tuple(_text(value) for value in conn.get("remote_addrs", ())),
                local_id=_text(conn.get("local-1", {}).get("id", b"")),
                remote_id=_text(conn.get("remote-1", {}).get("id", b"")),
                rekey_time=_number(conn, "rekey_time"),
                dpd_delay=_number(conn, "dpd_delay"),
                children={key: _read_loaded(child) for key, child in conn.get("children", {}).items()},
            ),
        )


def _read_loaded(child: Mapping[str, Any]) -> LoadedChild:
    return LoadedChild(
        local_ts=frozenset(_text(value) for value in child.get("local-ts", ())),
        remote_ts=frozenset(_text(value) for value in child.get("remote-ts", ())),
        rekey_time=_number(child, "rekey_time"),
    )


def read_certificate(section: Mapping[str, Any]) -> LoadedCertificate:
    """One event of `list-certs`."""
    return LoadedCertificate(der=section.get("data", b""), has_key=section.get("has_privkey") == b"yes")


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _number(section: Mapping[str, Any], key: str) -> int:
    value = section.get(key, b"0")
    return int(value) if value.isdigit() else 0


def _address(value: bytes | None) -> Address | None:
    try:
        return ip_address(_text(value).partition("%")[0]) if value else None
    except ValueError:
        return None
