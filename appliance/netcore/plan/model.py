# SPDX-License-Identifier: Apache-2.0
"""The plan of one device: all that the cloud tells it, and all that it needs to run its site.

Collections are maps keyed by name, so that a change is a small merge patch (RFC 7396).
Times are in seconds, sizes in bytes, unless a name says otherwise.
"""

from datetime import datetime

import msgspec

from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.values import Address, OnDown, Path, Prefix, Protocol, Role, Tier

SCHEMA = "orillo.io/plan/v1"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the plan: immutable, and closed to fields that this version does not know."""


class Peer(_Part, frozen=True, omit_defaults=True):
    """Another endpoint, as this device needs to know it.

    A field that says nothing is left out of the document: an appliance of the release before does not know
    the newer ones.

    `priority` orders the hubs of this device, lowest first; it is there for connectors only. `addresses`
    are where IKE reaches the peer, in order (an IP or a DNS name); none for a peer behind NAT. `underlay`
    are its addresses in the cloud's own network. `groups` are what the policy's rules speak of. `on_down`
    is what becomes of traffic to it while no tunnel leads there. `dpd_delay`, where the peer's line needs
    another than ours, replaces that of our tunnels. `cluster` is the other cluster that the peer is a
    gateway of, empty for all others, and `ca` are the CA certificates (PEM) that vouch for it there.
    """

    role: Role
    ike_id: str
    overlay: tuple[Address, ...]
    prefixes: tuple[Prefix, ...] = ()
    groups: tuple[str, ...] = ()
    paths: tuple[Path, ...] = (Path.HUB,)
    addresses: tuple[str, ...] = ()
    underlay: tuple[Address, ...] = ()
    priority: int | None = None
    on_down: OnDown = OnDown.REFUSE
    dpd_delay: int | None = None
    cluster: str = ""
    ca: tuple[str, ...] = ()


class Tunnel(_Part, frozen=True):
    """How IKE and ESP behave; swanctl.conf(5) has the meaning of the names.

    `mtu` is of the inner packet. Retransmission n comes `retransmit_timeout * retransmit_base ** n` after
    the one before. A probe through each tunnel is sent every `probe_interval`; after `probe_misses` of them
    unanswered the tunnel is taken for dead, whatever its SAs say.
    """

    ike_proposals: tuple[str, ...] = ("aes256-sha256-x25519", "aes256-sha256-ecp256")
    esp_proposals: tuple[str, ...] = ("aes128gcm16-x25519", "aes256gcm16-x25519", "aes256-sha256-x25519")
    ike_rekey: int = 14400
    child_rekey: int = 3600
    dpd_delay: int = 2
    retransmit_tries: int = 3
    retransmit_timeout: float = 1.0
    retransmit_base: float = 1.3
    probe_interval: float = 1.0
    probe_misses: int = 3
    failback_after: int = 30
    mtu: int = 1400
    ike_port: int = 500
    natt_port: int = 4500


class PortRange(_Part, frozen=True):
    """The ports `first` to `last` of one protocol; no ports stand for all of them."""

    protocol: Protocol
    first: int | None = None
    last: int | None = None


class Rule(_Part, frozen=True):
    """Group `source` may open connections to group `destination`; an empty `allow` allows all of them."""

    source: str
    destination: str
    allow: tuple[PortRange, ...] = ()


class Backend(_Part, frozen=True):
    """One ready backend of a service port."""

    address: Address
    port: int
    tier: Tier
    node: str = ""


class ServicePort(_Part, frozen=True):
    """One port of a service and who answers on it."""

    protocol: Protocol
    port: int
    backends: dict[str, Backend] = {}


class Service(_Part, frozen=True):
    """A service by its cluster addresses. `strict`: no spill-over past the site."""

    addresses: tuple[Address, ...]
    ports: dict[str, ServicePort]
    strict: bool = False
    client_affinity: bool = False


class Dns(_Part, frozen=True):
    """The cache on the device. A forward for "." is used for every name that no other zone covers."""

    domain: str = "cluster.local"
    bind: tuple[Address, ...] = ()
    records: dict[str, tuple[Address, ...]] = {}
    forwards: dict[str, tuple[Address, ...]] = {}


class Cni(_Part, frozen=True):
    """The pod network that this device writes a conflist for; its ranges are the device's own prefixes."""

    bridge: str = "br-orillo"
    mtu: int = 1400


class Trust(_Part, frozen=True):
    """Who is believed: CA certificates (PEM), plan keys (id to base64), and revoked identity URIs."""

    ca: tuple[str, ...]
    plan_keys: dict[str, str]
    revoked: tuple[str, ...] = ()


class Plan(_Part, frozen=True):
    """The document. `fabric` are the prefixes that never leave this device in clear, known peer or not.

    `prefixes` are its pods'; `lan` are those of the site's own network that are in the fabric as well.
    """

    generation: int
    issued_at: datetime
    author: str
    identity: Identity
    place: Place
    prefixes: tuple[Prefix, ...]
    overlay: tuple[Address, ...]
    fabric: tuple[Prefix, ...]
    service_range: tuple[Prefix, ...]
    trust: Trust
    dns: Dns
    lan: tuple[Prefix, ...] = ()
    underlay: tuple[Address, ...] = ()
    schema: str = SCHEMA
    min_agent: str = "0.1.0"
    peers: dict[str, Peer] = {}
    tunnel: Tunnel = Tunnel()
    policy: dict[str, Rule] = {}
    services: dict[str, Service] = {}
    cni: Cni | None = None
    groups: tuple[str, ...] = ()

    @property
    def hubs(self) -> dict[str, Peer]:
        """The connectors that this device has a priority for, best first."""
        ordered = [(name, peer) for name, peer in self.peers.items() if peer.priority is not None]
        return dict(sorted(ordered, key=lambda item: (item[1].priority, item[0])))
