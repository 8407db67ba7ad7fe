# SPDX-License-Identifier: Apache-2.0
"""What to say of each community to the people who run the cluster: pure, from what is said of its members."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from appliance.netcore.plan.values import OnDown
from cloud.conditions import is_bad, kept, say
from cloud.planner.model import Community
from cloud.source.status import CommunityStatus, Condition, DeviceStatus, condition_of

#: What is said of a member whose tunnel is down, by what its community wants then.
_DOWN = {
    OnDown.REFUSE: "connections to it are refused",
    OnDown.DROP: "packets to it are dropped",
    OnDown.SPILL: "its services are left to the next tier",
}
#: So many members are named in a message.
_NAMED = 5


def community_status(
    community: Community | None,
    cluster: str,
    devices: Mapping[str, DeviceStatus],
    refused: str,
    before: CommunityStatus | None,
    now: datetime,
) -> CommunityStatus:
    """The status of one community. None stands for one that was `refused` from its beginning."""
    names = sorted(community.nodes(cluster)) if community else []
    members = {name: devices.get(name, DeviceStatus()) for name in names}
    said = _conditions(members, refused, community.on_down if community else OnDown.REFUSE, now)
    conditions = tuple(kept(condition, before.conditions if before else ()) for condition in said)
    return CommunityStatus(
        members=len(members),
        up=sum(_is(status, "TunnelUp", "True") for status in members.values()),
        opens="one-way" if community and community.one_way else "both-ways",
        message=next((c.message for c in conditions if is_bad(c) and c.message), ""),
        conditions=conditions,
    )


def _conditions(
    members: Mapping[str, DeviceStatus], refused: str, on_down: OnDown, now: datetime
) -> Iterator[Condition]:
    yield _planned(members, refused, now)
    yield _applied(members, now)
    down = _with(members, "TunnelUp", "False")
    yield _tunnel_up(members, down, now)
    yield _degraded(members, down, on_down, now)


def _planned(members: Mapping[str, DeviceStatus], refused: str, now: datetime) -> Condition:
    if refused:
        return say("Planned", False, "Refused", refused, now)
    if not members:
        return say("Planned", False, "NoMembers", "no node of this cluster is a member", now)
    missing = [name for name, status in members.items() if status.role is None]
    if missing:
        return say("Planned", False, "NoNode", f"there is no node {_some(missing)} (yet)", now)
    waiting = [f"{name}: {message}" for name, message in _with(members, "Planned", "False").items()]
    if waiting:
        return say("Planned", False, "MembersWait", _some(waiting, "; "), now)
    return say("Planned", True, "PlanMade", "", now)


def _applied(members: Mapping[str, DeviceStatus], now: datetime) -> Condition:
    behind = [f"{name}: {message}" for name, message in _with(members, "Applied", "False").items()]
    if behind:
        return say("Applied", False, "MembersBehind", _some(behind, "; "), now)
    silent = list(_with(members, "Applied", "Unknown")) or [n for n, s in members.items() if not s.conditions]
    if silent or not members:
        return say(
            "Applied", None, "NoReport", f"nothing was heard of {_some(silent)}" if silent else "", now
        )
    return say("Applied", True, "InForce", "", now)


def _tunnel_up(members: Mapping[str, DeviceStatus], down: Mapping[str, str], now: datetime) -> Condition:
    if down:
        texts = [f"{name}: {reason}" if reason else name for name, reason in down.items()]
        return say("TunnelUp", False, "NoProbeAnswered", _some(texts, "; "), now)
    if not any(_is(status, "TunnelUp", "True") for status in members.values()):
        return say("TunnelUp", None, "NoReport", "", now)
    return say("TunnelUp", True, "ProbesAnswered", "", now)


def _degraded(
    members: Mapping[str, DeviceStatus], down: Mapping[str, str], on_down: OnDown, now: datetime
) -> Condition:
    if down:
        text = f"{_some(list(down))} {'has' if len(down) == 1 else 'have'} no tunnel: {_DOWN[on_down]}"
        return say("Degraded", True, "TunnelDown", text, now)
    ill = [f"{name}: {message}" for name, message in _with(members, "Degraded", "True").items()]
    if ill:
        return say("Degraded", True, "MembersDegraded", _some(ill, "; "), now)
    return say("Degraded", False, "AllInForce", "", now)


def _with(members: Mapping[str, DeviceStatus], kind: str, status: str) -> dict[str, str]:
    """The members of which this is said, each with the message."""
    found = {name: condition_of(each.conditions, kind) for name, each in members.items()}
    return {name: one.message for name, one in found.items() if one is not None and one.status == status}


def _is(status: DeviceStatus, kind: str, wanted: str) -> bool:
    condition = condition_of(status.conditions, kind)
    return condition is not None and condition.status == wanted


def _some(texts: list[str], between: str = ", ") -> str:
    more = f"{between}and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return between.join(texts[:_NAMED]) + more
