# SPDX-License-Identifier: Apache-2.0
"""`orillo.io/v1alpha1` Cluster: another cluster that services are exchanged with, and what it says of itself.

What it says is kept in its object's status, so that it is there after a restart of either operator.
"""

import re
from base64 import b64decode
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from appliance.netcore.plan.values import Address
from cloud.source.objects import Metadata, PortNumber, Transport

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
Pin = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of the object or of what is exchanged; unknown fields are passed over."""


class Gateway(_Part, frozen=True):
    """A connector: who it is in IKE, where that reaches it, and its addresses inside the tunnel."""

    ike_id: str
    addresses: tuple[str, ...]
    overlay: tuple[Address, ...]


class OfferedPort(_Part, frozen=True):
    """A port of a service, and the port of every gateway that stands for it, in these families of IP."""

    protocol: Transport
    port: PortNumber
    gateway: PortNumber
    families: tuple[Literal[4, 6], ...] = (4, 6)


class ClusterDocument(_Part, frozen=True):
    """All that one cluster tells another: gateways by name, services by `namespace/name`, ports by name.

    `ca` are the certificates (PEM) that vouch for the gateways.
    """

    cluster: str
    ca: tuple[str, ...]
    gateways: dict[str, Gateway] = msgspec.field(default_factory=dict)
    services: dict[str, dict[str, OfferedPort]] = msgspec.field(default_factory=dict)


def pin_of(pem: str) -> str:
    """SHA-256 (hex) of a certificate's DER bytes; empty for what is none."""
    found = _PEM.fullmatch(pem.strip())
    try:
        return sha256(b64decode("".join(found[1].split()), validate=True)).hexdigest() if found else ""
    except ValueError:
        return ""


class ClusterSpec(_Part, frozen=True, forbid_unknown_fields=True):
    """`caPin`, if given, is the SHA-256 of the CA certificate that the cluster has to show."""

    ca_pin: Pin = ""

    def admits(self, document: ClusterDocument) -> bool:
        """Whether what is said may be believed by the CA that it shows."""
        return not self.ca_pin or self.ca_pin in map(pin_of, document.ca)


class ClusterStatus(_Part, frozen=True):
    """What the cluster said last, and since when; it holds while nobody says otherwise."""

    seen: datetime | None = None
    document: ClusterDocument | None = None


class Cluster(_Part, frozen=True):
    """`orillo.io/v1alpha1` Cluster: another cluster, by the name that its own operator has for it."""

    metadata: Metadata
    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()
