# SPDX-License-Identifier: Apache-2.0
"""Communities of the manifests as the planner's, with what their selectors find among the nodes."""

from collections.abc import Iterable, Iterator, Mapping

from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.model import PortRange
from appliance.netcore.plan.values import Protocol
from cloud.planner.fabric import Fabric
from cloud.planner.model import Community, Node
from cloud.source import objects

#: FabEdge's name for the cloud's side of a cluster, which every edge may talk to anyway.
FABEDGE_CONNECTOR = "connector"


def read_community(community: objects.Community, nodes: Mapping[str, Node]) -> Community:
    """One Community; a selector stands for the nodes that it finds now."""
    spec = community.spec
    both = _found(spec.members or (), spec.selector, nodes)
    senders = _found(spec.from_.members, spec.from_.selector, nodes) if spec.from_ else ()
    receivers = _found(spec.to.members, spec.to.selector, nodes) if spec.to else ()
    return Community(
        name=community.metadata.name,
        members=tuple(dict.fromkeys((*both, *senders, *receivers))),
        allow=tuple(map(_port_range, spec.ports)),
        senders=senders,
        receivers=receivers,
        on_down=spec.on_tunnel_down,
    )


def _found(
    members: tuple[str, ...], selector: objects.Selector | None, nodes: Mapping[str, Node]
) -> tuple[str, ...]:
    wanted = selector.matches if selector is not None else None
    chosen = sorted(name for name, node in nodes.items() if wanted and wanted(node.labels))
    return tuple(dict.fromkeys((*members, *chosen)))


def _port_range(port: objects.CommunityPort) -> PortRange:
    return PortRange(
        protocol=Protocol(port.protocol.lower()), first=port.port, last=port.end_port or port.port
    )


def community_problems(names: Iterable[str]) -> Iterator[str]:
    """Communities that the policy could not speak of."""
    yield from (f"Community {name}: its name is no DNS label" for name in names if not is_name(name))


def community_warnings(
    communities: Mapping[str, Community], nodes: Mapping[str, Node], fabric: Fabric | None
) -> Iterator[str]:
    """What the owner should know of communities that can be used, but not fully."""
    for name, community in communities.items():
        if not community.members:
            yield f"Community {name} has no members: nobody has the labels that it selects by"
        elif community.one_way and not (community.senders and community.receivers):
            side = "from" if not community.senders else "to"
            yield f"Community {name} opens nothing: there is no node that its `{side}` selects"
        for member in community.members:
            cluster, _, node = member.rpartition(".")
            if fabric and cluster not in ("", fabric.cluster):
                yield f"Community {name} has the member {member} of another cluster: it is left out"
            elif node not in nodes and not (cluster and node == FABEDGE_CONNECTOR):
                yield f"Community {name} has the member {member}, and there is no node {node} (yet)"
