# SPDX-License-Identifier: Apache-2.0
"""What to say of each other cluster to the people who run this one: pure, from what the operator knows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from appliance.netcore.plan.values import builtins, convert
from cloud.app import App
from cloud.conditions import is_bad, kept, say
from cloud.planner.clusters import peer_name
from cloud.source.clusters import Cluster, ClusterDocument, ClusterStatus
from cloud.source.manifest import Manifest
from cloud.source.status import ClusterState, Condition, DeviceStatus, Tunnel
from cloud.talks import Talk

#: The other operator speaks at least each half a minute.
SILENT_AFTER = timedelta(seconds=90)
#: As for devices: that it was heard again is no news by itself.
HEARD_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Neighbour:
    """All that is known of one. `gateways` says of each whether any connector of ours reaches it."""

    name: str
    ours: str
    document: ClusterDocument | None = None
    seen: datetime | None = None
    talk: Talk = field(default_factory=Talk)
    refused: str = ""
    gateways: Mapping[str, bool | None] = field(default_factory=dict)
    admitted: bool = True


def neighbours(
    app: App,
    manifests: Mapping[str, Manifest],
    refused: Mapping[str, str],
    connectors: Sequence[DeviceStatus],
) -> list[Neighbour]:
    """Each of the clusters that there is an object for, or one that is `refused`, by name.

    `connectors` are the statuses of ours; no others have tunnels to gateways of other clusters.
    """
    enrolled = [each for each in connectors if each.state == "enrolled"]
    return [
        _neighbour(app, name, manifests.get(name), refused.get(name, ""), enrolled)
        for name in sorted(manifests.keys() | refused.keys())
    ]


def _neighbour(
    app: App, name: str, manifest: Manifest | None, refused: str, connectors: list[DeviceStatus]
) -> Neighbour:
    cluster = convert(manifest.body, Cluster) if manifest else None
    said = cluster.status if cluster else ClusterStatus()
    gateways = said.document.gateways if said.document else {}
    return Neighbour(
        name=name,
        ours=app.settings.cluster,
        document=said.document,
        seen=said.seen,
        talk=app.talks.of(name),
        refused=refused,
        gateways={gateway: _reached(connectors, peer_name(name, gateway)) for gateway in gateways},
        admitted=cluster is None or said.document is None or cluster.spec.admits(said.document),
    )


def reported(app: App) -> list[DeviceStatus]:
    """What the connectors say of their tunnels to this operator itself."""
    connectors = {name for name, node in app.engine().inventory.nodes.items() if node.is_connector}
    latest = app.store.devices.latest(sorted(connectors)).values()
    return [
        DeviceStatus(state="enrolled", tunnels={n: Tunnel(up=t.up) for n, t in device.report.tunnels.items()})
        for device in latest
        if device.report and not device.revoked_at
    ]


def _reached(connectors: list[DeviceStatus], peer: str) -> bool | None:
    """Whether any connector reaches the gateway; None if none of them knows."""
    said = [status.tunnels[peer].up for status in connectors if peer in status.tunnels]
    return any(said) if said else None


def is_ours(known: Neighbour, before: ClusterState | None, now: datetime, *, leads: bool) -> bool:
    """Whether this replica is the one to say how the cluster stands: it heard it last, or nobody hears it."""
    heard, told = known.talk.heard, before.heard if before else None
    if heard is not None and (told is None or told <= heard):
        return True
    return leads and (told is None or now - told > HEARD_EVERY + SILENT_AFTER or bool(known.refused))


def cluster_status(known: Neighbour, before: ClusterState | None, now: datetime) -> ClusterState:
    """The status of one cluster. A condition that is as it was `before` keeps its time."""
    said = before.conditions if before else ()
    conditions = tuple(kept(condition, said) for condition in _conditions(known, now))
    heard = known.talk.heard or (before.heard if before else None)
    up = sum(reached is True for reached in known.gateways.values())
    return ClusterState(
        seen=known.seen,
        document=builtins(known.document) if known.document else None,
        heard=heard.replace(microsecond=0) if heard else None,
        gateways=len(known.gateways),
        services=len(known.document.services) if known.document else 0,
        tunnels=f"{up}/{len(known.gateways)}" if known.gateways else "",
        message=next((each.message for each in conditions if is_bad(each) and each.message), ""),
        conditions=conditions,
    )


def worth_writing(status: ClusterState, before: ClusterState | None) -> bool:
    """Whether anything differs, or enough time has gone by since it was last heard."""
    if before is None or replace(status, heard=before.heard) != before:
        return True
    if status.heard is None or before.heard is None:
        return status.heard != before.heard
    return status.heard - before.heard >= HEARD_EVERY


def _conditions(known: Neighbour, now: datetime) -> Iterator[Condition]:
    heard = _heard(known, now)
    yield heard
    yield _planned(known, now)
    yield _tunnel_up(known, now)
    yield _degraded(known, heard, now)


def _heard(known: Neighbour, now: datetime) -> Condition:
    talk = known.talk
    if known.refused:
        return say("Heard", False, "Refused", known.refused, now)
    if talk.refused:
        return say("Heard", False, "NotBelieved", talk.fault, now)
    if talk.heard and now - talk.heard < SILENT_AFTER:
        return say("Heard", True, "Exchanging", "", now)
    if talk.fault:
        return say("Heard", False, "NotReached", talk.fault, now)
    if talk.heard:
        return say(
            "Heard", False, "Silent", f"nothing was heard of it since {talk.heard:%Y-%m-%d %H:%M} UTC", now
        )
    text = (
        f"neither operator is enrolled at the other: there `token create --name {known.ours}`, "
        "here `cluster join TOKEN`"
    )
    return say("Heard", None if known.document else False, "NotHeard", text, now)


def _planned(known: Neighbour, now: datetime) -> Condition:
    if known.document is None:
        return say("Planned", False, "NothingSaid", "", now)
    if not known.admitted:
        return say("Planned", False, "NotAdmitted", "what it said is of another CA than spec.caPin", now)
    if not known.document.gateways:
        text = "it has no connector that could be dialled, so nothing leads there"
        return say("Planned", False, "NoGateway", text, now)
    return say("Planned", True, "InPlans", "", now)


def _tunnel_up(known: Neighbour, now: datetime) -> Condition:
    reached = known.gateways.values()
    if any(reached):
        return say("TunnelUp", True, "ProbesAnswered", "", now)
    if all(one is None for one in reached):
        return say("TunnelUp", None, "NoReport", "", now)
    return say("TunnelUp", False, "NoProbeAnswered", f"no gateway answers: {', '.join(_down(known))}", now)


def _degraded(known: Neighbour, heard: Condition, now: datetime) -> Condition:
    down = _down(known)
    if down:
        others = "the others carry on" if any(known.gateways.values()) else "its services are left out"
        return say("Degraded", True, "GatewayDown", f"{', '.join(down)} out of reach: {others}", now)
    if known.document is not None and heard.status == "False":
        return say("Degraded", True, heard.reason, "what it said last is in force", now)
    return say("Degraded", False, "AllInForce", "", now)


def _down(known: Neighbour) -> list[str]:
    return sorted(name for name, reached in known.gateways.items() if reached is False)
