# SPDX-License-Identifier: Apache-2.0
"""The pod network as it is shown, from files as host-local and libcni write them."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import msgspec

from appliance.looks.pods import pods
from appliance.netcore.desired.cni import CONFLIST, conflist
from appliance.netcore.kernel.leases import Lease, leases, pod_names
from appliance.netcore.kernel.pod_links import Bridge, Neighbour, PodLinkDoor
from appliance.netcore.plan.model import Cni
from appliance.paths import Paths
from tests.unit.plan.plans import edge_plan

PLAN = msgspec.structs.replace(edge_plan(), cni=Cni())
FOUR = ip_address(PLAN.prefixes[0][2])
CONTAINER = "0f1e2d3c4b5a"


class Kernel:
    """A kernel with this bridge."""

    def __init__(self, bridge: Bridge | None) -> None:
        self._bridge = bridge

    async def bridge(self, name: str) -> Bridge | None:
        return self._bridge if name == "br-orillo" else None


def door(bridge: Bridge | None = None) -> PodLinkDoor:
    return cast("PodLinkDoor", Kernel(bridge))


def lease(paths: Paths, address: str) -> None:
    directory = paths.cni_leases / "orillo"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / address).write_text(f"{CONTAINER}\r\neth0")
    (directory / "last_reserved_ip.0").write_text(address)
    (directory / "lock").touch()


def result(paths: Paths, text: str) -> None:
    paths.cni_results.mkdir(parents=True, exist_ok=True)
    (paths.cni_results / f"orillo-{CONTAINER}-eth0").write_text(text)


def test_leases_are_read_and_what_is_no_lease_is_left_out(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    lease(paths, str(FOUR))
    assert leases(paths.cni_leases / "orillo") == (Lease(FOUR, CONTAINER, "eth0"),)
    assert leases(tmp_path / "nowhere") == ()


def test_names_are_those_that_the_runtime_left(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    args = [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", "web-0"]]
    result(paths, json.dumps({"kind": "cniCacheV1", "containerId": CONTAINER, "cniArgs": args}))
    assert pod_names(paths.cni_results, "orillo") == {CONTAINER: "default/web-0"}
    for damaged in ("", "[]", '{"containerId": 5, "cniArgs": 7}', '{"containerId": "x"}'):
        result(paths, damaged)
        assert pod_names(paths.cni_results, "orillo") == {}


async def test_a_pod_in_full(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    lease(paths, str(FOUR))
    neighbours = {FOUR: Neighbour("02:00:00:00:00:05", "reachable")}
    bridge = Bridge(True, 1400, (ip_address(PLAN.prefixes[0][1]),), ("veth1",), neighbours)
    found = await pods(door(bridge), PLAN, paths)
    (pod,) = found.pods
    assert (pod.container, pod.addresses, pod.neighbour) == (CONTAINER, (str(FOUR),), "reachable")
    assert (found.bridge_up, found.bridge_mtu, found.links) == (True, 1400, 1)
    assert (found.ranges[0].used, found.ranges[0].size) == (1, PLAN.prefixes[0].num_addresses - 3)


async def test_the_state_of_the_conflist(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert (await pods(door(), PLAN, paths)).conflist == "missing"
    paths.cni.mkdir(parents=True)
    file = paths.cni / CONFLIST
    file.write_bytes(conflist(Cni(), PLAN.prefixes, paths.cni_leases))
    (paths.cni / "05-other.conflist").touch()
    found = await pods(door(), PLAN, paths)
    assert (found.conflist, found.others, found.bridge_up) == ("ok", ("05-other.conflist",), False)
    file.write_text("{}")
    assert (await pods(door(), PLAN, paths)).conflist == "differs"
    assert (await pods(door(), edge_plan() if edge_plan().cni is None else None, paths)).conflist == "none"
