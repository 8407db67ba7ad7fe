# SPDX-License-Identifier: Apache-2.0
"""What other network programs say of prefixes: Calico's blocks and pools, FabEdge's clusters."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from appliance.netcore.plan.values import Prefix
from cloud.planner.blocks import Claims
from cloud.planner.clashes import is_for_pods
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, Node, Pool
from cloud.source import objects

#: What an operator of ours puts on the IPPools that it keeps.
MANAGED_LABEL = "orillo.io/managed"
#: A node's pod prefixes as FabEdge's operator chose them, and as an owner writes them by hand.
SUBNETS_ANNOTATION = "fabedge.io/subnets"
BY_HAND_ANNOTATION = "orillo.io/pod-prefixes"
#: What our operator chose.
ALLOTTED_ANNOTATION = "orillo.io/allotted-prefixes"
_ANNOTATIONS = (BY_HAND_ANNOTATION, SUBNETS_ANNOTATION, ALLOTTED_ANNOTATION)


@dataclass(frozen=True)
class PodNetwork:
    """Whose pods' prefixes the cluster says how. `blocks` are Calico's, by node.

    With Calico, `spec.podCIDRs` mean nothing: its own blocks do, and edges have prefixes of ours.
    """

    calico: bool = False
    blocks: Mapping[str, tuple[Prefix, ...]] = field(default_factory=dict)


def read_pod_network(pools: Iterable[objects.IPPool], blocks: Iterable[objects.IPAMBlock]) -> PodNetwork:
    """What Calico says; nothing where there is none of it."""
    found: dict[str, list[Prefix]] = {}
    given = list(blocks)
    for block in given:
        if block.spec.node:
            found.setdefault(block.spec.node, []).append(block.spec.cidr)
    theirs = [pool for pool in pools if MANAGED_LABEL not in pool.metadata.labels]
    return PodNetwork(calico=bool(theirs or given), blocks={n: _ordered(p) for n, p in found.items()})


def pod_prefixes(node: objects.Node, network: PodNetwork, *, edge: bool) -> tuple[Prefix, ...]:
    """A node's fixed prefixes: by hand, as FabEdge chose, as Calico has them, or as the cluster allotted."""
    for annotation in (BY_HAND_ANNOTATION, SUBNETS_ANNOTATION):
        if written := annotated(node, annotation):
            return written
    if not network.calico:
        return node.spec.prefixes
    return () if edge else network.blocks.get(node.metadata.name, ())


def annotated(node: objects.Node, annotation: str) -> tuple[Prefix, ...]:
    """The prefixes in an annotation, as far as they are any."""
    texts = node.metadata.annotations.get(annotation, "").split(",")
    return tuple(prefix for text in texts if (prefix := objects.prefix_or_none(text)))


def annotation_problems(nodes: Mapping[str, objects.Node]) -> Iterator[str]:
    """What stands in annotations about prefixes and is none."""
    for name, node in nodes.items():
        for annotation in _ANNOTATIONS:
            for text in node.metadata.annotations.get(annotation, "").split(","):
                if text.strip() and objects.prefix_or_none(text) is None:
                    yield (
                        f"Node {name}: {text.strip()!r} in its annotation {annotation} is no prefix: "
                        "write them as 10.1.2.0/24, with commas between"
                    )


def read_pools(pools: Mapping[str, objects.IPPool]) -> dict[str, Pool]:
    """Calico's pools by name."""
    return {
        name: Pool(pool.spec.cidr, ours=MANAGED_LABEL in pool.metadata.labels) for name, pool in pools.items()
    }


def pool_clashes(pools: Mapping[str, Pool], fabric: Fabric) -> Iterator[str]:
    """Pools of Calico's own that our ranges lie in, or the other way round."""
    for name, pool in pools.items():
        for prefix, what in fabric.ranges.items() if not pool.ours else ():
            if what != "the service range" and _overlap(prefix, pool.prefix):
                yield (
                    f"IPPool {name} of Calico has {pool.prefix}, which overlaps {what} {prefix}: "
                    "choose another range in cloud.toml, or change the pool"
                )


def read_clusters(
    clusters: Mapping[str, objects.FabedgeCluster], nodes: Mapping[str, Node], fabric: Fabric
) -> tuple[dict[str, tuple[Prefix, ...]], list[str]]:
    """The prefixes of other clusters that are apart from ours, and a warning for each that is not."""
    taken, found, warnings = Claims(), dict[str, tuple[Prefix, ...]](), list[str]()
    for prefix, what in fabric.ranges.items():
        taken.claim(prefix, what)
    for name, node in nodes.items():
        for prefix in (*node.prefixes, *node.lan):
            taken.claim(prefix, f"node {name}'s")
    for name, cluster in clusters.items():
        apart = []
        for prefix in cluster.spec.prefixes if name != fabric.cluster else ():
            if (other := taken.holder(prefix)) or not is_for_pods(prefix):
                what = f"overlaps {other[1]} {other[0]}" if other else "is for no pods"
                warnings.append(f"Cluster {name} of FabEdge has {prefix}, which {what}: it is left out")
            else:
                apart.append(prefix)
        found[name] = tuple(apart)
    return found, warnings


def kept_pools(inventory: Inventory, fabric: Fabric, remote: Iterable[Prefix]) -> dict[str, Prefix]:
    """The IPPools that have to be there, by name, so that Calico masquerades nothing that goes to `remote`.

    None where there is no Calico, and none for what lies in a pool of its own.
    """
    theirs = [pool.prefix for pool in inventory.pools.values() if not pool.ours]
    if not theirs:
        return {}
    ranges = [prefix for prefix in fabric.ranges if prefix not in fabric.service_ranges]
    wanted: list[Prefix] = []
    for prefix in sorted({*ranges, *remote}, key=lambda each: (each.version, each.prefixlen, str(each))):
        if not any(_overlap(prefix, other) for other in (*theirs, *wanted)):
            wanted.append(prefix)
    return {_pool_name(prefix): prefix for prefix in wanted}


def _pool_name(prefix: Prefix) -> str:
    return "orillo-" + str(prefix).replace(".", "-").replace(":", "-").replace("/", "-")


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.version == other.version and one.overlaps(other)


def _ordered(prefixes: Iterable[Prefix]) -> tuple[Prefix, ...]:
    return tuple(sorted(prefixes, key=lambda prefix: (prefix.version, int(prefix.network_address))))
