# SPDX-License-Identifier: Apache-2.0
"""The value types of the documents, and their way into and out of JSON.

An address or a prefix is an `ipaddress` object everywhere past the codec. msgspec takes at most one custom
type in a union, so v4 and v6 stand behind one abstract class each; to the type checker they are the plain
unions.
"""

from abc import ABC
from collections.abc import Callable
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    Address = IPv4Address | IPv6Address
    Prefix = IPv4Network | IPv6Network
else:

    class Address(ABC):  # noqa: B024 -- it only gathers the two families under one name
        """An IPv4 or IPv6 address."""

    class Prefix(ABC):  # noqa: B024 -- it only gathers the two families under one name
        """An IPv4 or IPv6 network with no host bits set."""

    Address.register(IPv4Address)
    Address.register(IPv6Address)
    Prefix.register(IPv4Network)
    Prefix.register(IPv6Network)

T = TypeVar("T")


class Role(StrEnum):
    """What a device does in the fabric; the plan says which."""

    EDGE = "edge"
    CONNECTOR = "connector"
    CLOUD_NODE = "cloud-node"


class Path(StrEnum):
    """How a peer is reached. `underlay` is the cloud's own network, between cloud endpoints only."""

    LAN = "lan"
    DIRECT = "direct"
    HUB = "hub"
    UNDERLAY = "underlay"


class Protocol(StrEnum):
    """A transport protocol by its nftables name."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"
    ICMP = "icmp"


class OnDown(StrEnum):
    """What becomes of a community's traffic while the tunnel to a member is down; never does it go in clear.

    `refuse`: new connections are refused at once. `drop`: packets vanish, so that a connection waits out a
    short cut. `spill`: as `refuse`, and services go on with the backends of the next tier.
    """

    REFUSE = "refuse"
    DROP = "drop"
    SPILL = "spill"


class Uplink(StrEnum):
    """The kind of line that a device has to the internet."""

    WIRED = "wired"
    WIFI = "wifi"
    LTE = "lte"
    SATELLITE = "satellite"


class Tier(StrEnum):
    """How near a backend is to this device; the order of the members is the order of preference."""

    NODE = "node"
    SITE = "site"
    COMMUNITY = "community"
    REGION = "region"
    CLOUD = "cloud"
    CLUSTER = "cluster"


#: How a custom type is read from its JSON string.
_READERS: dict[object, Callable[[Any], Any]] = {Address: ip_address, Prefix: ip_network}


def _decode_value(kind: type, value: Any) -> Any:
    if not isinstance(value, str):  # `ipaddress` takes numbers as well, and 10 would be 0.0.0.10
        raise TypeError(f"{value!r} is not a string")
    return _READERS[kind](value)


def _encode_value(value: Any) -> str:
    if isinstance(value, IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    raise TypeError(f"no rule to write a {type(value).__name__}")


def decode(data: bytes | str, kind: type[T]) -> T:
    """Read JSON as `kind`; raises `msgspec.ValidationError` (a `ValueError`) naming the field at fault."""
    return msgspec.json.decode(data, type=kind, dec_hook=_decode_value)


def convert(document: Any, kind: type[T]) -> T:
    """Read plain dicts and lists (from JSON or YAML) as `kind`; errors as `decode`."""
    return msgspec.convert(document, type=kind, dec_hook=_decode_value)


def encode(value: Any) -> bytes:
    """Write JSON with sorted keys and no spaces, so that equal values give equal bytes."""
    return msgspec.json.encode(value, enc_hook=_encode_value, order="sorted")


def builtins(value: Any) -> Any:
    """The value as plain dicts, lists and strings, as its JSON would be read back."""
    return msgspec.to_builtins(value, enc_hook=_encode_value, order="sorted")


def host_prefix(address: Address) -> Prefix:
    """The /32 or /128 of one address."""
    return ip_network(address)
