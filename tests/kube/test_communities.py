# SPDX-License-Identifier: Apache-2.0
"""Communities on a real API server: by label, one way, and what kubectl shows of them and their devices."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from appliance.netcore.plan.exchange import TunnelState
from tests.kube.cluster import DEADLINE, until
from tests.kube.operating import HUB, operating, plan_of, report
from tests.kube.server import KubeServer
from tests.kube.things import EDGE, NODES, node
from tests.unit.endpoint.operators import Operator, enroll

ORDERS = """
apiVersion: orillo.io/v1alpha1
kind: Community
metadata: {name: orders}
spec:
  from: {selector: {matchLabels: {kind: shop}}}
  to: {members: [depot]}
  ports: [{port: 443}, {protocol: ICMP}]
  onTunnelDown: spill
"""
SHOP = EDGE | {"kind": "shop"}


def rows(kube: KubeServer, kind: str) -> dict[str, dict[str, str]]:
    """What `kubectl get` prints, by name and column; a column ends where the next one's title begins."""
    head, *lines = kube.kubectl("get", kind).splitlines()
    titles = head.split()
    starts = [found.start() for found in re.finditer(r"\S+", head)]
    ends = [*starts[1:], None]
    cells = [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in lines]
    return {row[0]: dict(zip(titles, row, strict=True)) for row in cells}


async def shows(kube: KubeServer, kind: str, name: str, **wanted: str) -> None:
    """Wait until `kubectl get` has these cells; the operator works meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE
    while True:
        found = (await asyncio.to_thread(rows, kube, kind)).get(name, {})
        if wanted.items() <= found.items():
            return
        assert loop.time() < end, f"{kind} {name} is {found}"


def peers(operator: Operator, name: str) -> set[str]:
    """The edges that a device is told of."""
    found: dict[str, Any] = plan_of(operator, name)["peers"]
    return {peer for peer, each in found.items() if each["role"] == "edge"}


async def test_by_label_one_way_and_what_is_told_of_it(cluster: KubeServer, tmp_path: Path) -> None:
    names = ("depot", "hub1", "shop1", "shop2")
    cluster.ask("POST", NODES, HUB)
    for number, (name, labels) in enumerate((("depot", EDGE), ("shop1", SHOP), ("shop2", EDGE)), start=1):
        cluster.ask("POST", NODES, node(name, f"10.244.{number}.0/24", labels))
    async with operating(cluster) as operator:
        await until(lambda: len(operator.app.inventory().nodes) == 4, "nodes are seen")
        devices = {name: await enroll(operator, tmp_path, name) for name in names}
        started = datetime.now(UTC)
        cluster.kubectl("apply", "-f", "-", text=ORDERS)
        await until(lambda: peers(operator, "depot") == {"shop1"}, "shop1 is in by its label")
        assert (datetime.now(UTC) - started).total_seconds() < 3
        cluster.kubectl("label", "node", "shop2", "kind=shop")
        await until(lambda: peers(operator, "depot") == {"shop1", "shop2"}, "shop2 has the label too")
        assert peers(operator, "shop1") == peers(operator, "shop2") == {"depot"}  # not of each other
        rule = plan_of(operator, "depot")["policy"]["community:orders"]
        assert (rule["source"], rule["destination"]) == ("from:orders", "to:orders")
        assert plan_of(operator, "shop1")["peers"]["depot"]["on_down"] == "spill"
        cluster.kubectl("label", "node", "shop2", "kind-")
        await until(lambda: peers(operator, "depot") == {"shop1"}, "shop2 is out by its label")

        up = {"hub1": TunnelState(up=True, chosen=True, rtt=0.02)}
        for name in ("depot", "shop1"):
            await report(operator, devices[name], tunnels=up)
        well = {"PLANNED": "True", "APPLIED": "True", "TUNNELS": "True", "MESSAGE": ""}
        await shows(
            cluster, "communities", "orders", MEMBERS="2", UP="2", OPENS="one-way", PORTS="443", **well
        )

        await report(operator, devices["depot"], tunnels={"hub1": TunnelState(up=False, reason="no echo")})
        await shows(cluster, "com", "orders", MEMBERS="2", UP="1", TUNNELS="False", MESSAGE="depot: no echo")
        said = cluster.kubectl("describe", "community", "orders")
        assert "depot has no tunnel: its services are left to the next tier" in said
        assert "TunnelUp is False: NoProbeAnswered: depot: no echo" in said  # an Event
        await shows(cluster, "devices", "depot", STATE="enrolled", TUNNEL="False", MESSAGE="no echo")

        # A device that lags behind is told of with by how much.
        head = operator.app.store.plans.heads()["shop1"]
        await report(operator, devices["shop1"], generation=head.generation - 1, digest="old", tunnels=up)
        await shows(cluster, "devices", "shop1", LAG="1", APPLIED="False")
        await shows(cluster, "com", "orders", APPLIED="False")


async def test_a_bad_community_says_why_itself(cluster: KubeServer) -> None:
    cluster.ask("POST", NODES, HUB)
    async with operating(cluster) as operator:
        await until(lambda: operator.app.inventory().nodes, "the node is seen")
        for name, spec in (
            ("gone", {"members": ["nobody"]}),
            ("none", {"selector": {"matchLabels": {"no": "one"}}}),
        ):
            body = {"apiVersion": "orillo.io/v1alpha1", "kind": "Community", "metadata": {"name": name}}
            cluster.kubectl("apply", "-f", "-", text=yaml.safe_dump(body | {"spec": spec}))

        await shows(cluster, "communities", "gone", MESSAGE="there is no node nobody (yet)", PLANNED="False")
        await shows(cluster, "communities", "none", MESSAGE="no node of this cluster is a member")
