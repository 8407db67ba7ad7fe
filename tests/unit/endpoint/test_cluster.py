# SPDX-License-Identifier: Apache-2.0
"""What is taken in of a cluster's objects, and what is said of its devices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec import structs

from appliance.netcore.plan.exchange import PhaseCount, Report, TunnelState
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.values import OnDown, Role
from cloud.app import App
from cloud.cluster import Mirror
from cloud.clusters import take
from cloud.community_status import community_status
from cloud.device_status import SEEN_EVERY, Known, device_status, worth_writing
from cloud.paths import CloudPaths
from cloud.planner.model import Community, Node
from cloud.source.clusters import ClusterDocument
from cloud.source.manifest import Manifest
from cloud.source.manifests import read_text
from cloud.source.source import Key
from cloud.source.status import Condition, DeviceStatus, condition_of
from cloud.store.devices import StoredDevice
from cloud.store.heads import PlanHead
from tests.unit.endpoint.operators import COMMUNITY, NODES, new_app

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLASH = """
apiVersion: v1
kind: Node
metadata: {name: %s, labels: {node-role.kubernetes.io/edge: ""}}
spec: {podCIDRs: [10.9.0.0/24]}
"""


class Objects:
    """A source that has what a test gives it."""

    def __init__(self, *texts: str) -> None:
        self._found = {manifest.key: manifest for text in texts for manifest in read_text(text)}

    def all(self) -> dict[Key, Manifest]:
        return self._found

    def get(self, key: Key) -> Manifest | None:
        return self._found.get(key)


def mirror(app: App, source: Objects) -> dict[Key, str]:
    """What is refused by a mirror that has just been made."""
    made = Mirror(app)
    made.take_in(source)
    return made.refused


def test_one_bad_object_stops_nothing_else(tmp_path: Path) -> None:
    app = new_app(CloudPaths(tmp_path))
    assert mirror(app, Objects(NODES, CLASH % "first")) == {}
    refused = mirror(app, Objects(NODES, CLASH % "first", CLASH % "second", COMMUNITY))
    assert list(refused) == [("Node", "", "second")]
    assert "10.9.0.0/24" in refused[("Node", "", "second")]
    assert app.inventory().communities
    assert mirror(app, Objects(NODES, CLASH % "second", COMMUNITY)) == {}
    assert "first" not in app.inventory().nodes
    app.store.close()


def test_a_connector_that_is_still_named_stays_until_it_is_not(tmp_path: Path) -> None:
    """Nobody can refuse the deletion in the cluster; the plans go on as they are."""
    app = new_app(CloudPaths(tmp_path))
    device = "apiVersion: orillo.io/v1alpha1\nkind: Device\nmetadata: {name: shop1}\nspec: {hubs: [%s]}\n"
    assert mirror(app, Objects(NODES, device % "connector-1")) == {}
    shops = "\n---\n".join(NODES.split("---\n")[1:])
    assert list(mirror(app, Objects(shops, device % "connector-1"))) == [("Node", "", "connector-1")]
    assert mirror(app, Objects(shops)) == {}
    assert set(app.inventory().nodes) == {"shop1", "shop2"}
    app.store.close()


def test_a_mirror_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    app = new_app(CloudPaths(tmp_path))
    made = Mirror(app)
    assert made.take_in(Objects(NODES))
    assert not made.take_in(Objects(NODES))
    assert made.take_in(Objects(NODES, COMMUNITY))
    assert made.take_in(Objects(NODES, CLASH % "first", CLASH % "second"))
    assert list(made.refused) == [("Node", "", "second")]
    assert made.take_in(Objects(NODES, CLASH % "second"))
    assert (made.refused, app.inventory().communities) == ({}, {})
    assert set(app.store.objects.all()) == set(Objects(NODES, CLASH % "second").all())
    app.store.close()


def test_what_another_cluster_said_outlives_the_mirrors_look(tmp_path: Path) -> None:
    """The API server's object has no word of it, before a restart and after."""
    app = new_app(CloudPaths(tmp_path))
    cluster = "apiVersion: orillo.io/v1alpha1\nkind: Cluster\nmetadata: {name: west}\n"
    assert mirror(app, Objects(NODES, cluster)) == {}
    said = ClusterDocument(cluster="west", ca=())
    assert take(app, "west", said)
    # What is said by another CA than the object names is kept, and in no plan.
    for spec, there in ((f"spec: {{caPin: {'0a' * 32}}}\n", {}), ("", {"west": said})):
        assert mirror(app, Objects(NODES, cluster + spec)) == {}
        assert app.situation().inventory.others == there
    # Nor does what an API server still has from before; what somebody else took in later does.
    for years, gateways in ((-1, "{}"), (1, "{hub: {ikeId: 1.hub.west, addresses: [], overlay: []}}")):
        seen = app.now() + timedelta(days=365 * years)
        told = f"{{seen: '{seen.isoformat()}', document: {{cluster: west, ca: [], gateways: {gateways}}}}}"
        assert mirror(app, Objects(NODES, f"{cluster}status: {told}\n")) == {}
        assert len(app.situation().inventory.others["west"].gateways) == (years > 0)
    assert mirror(app, Objects(NODES)) == {}
    assert app.situation().inventory.others == {}


def test_a_cluster_without_nodes_is_the_wrong_one(tmp_path: Path) -> None:
    """Nobody means to withdraw every plan."""
    app = new_app(CloudPaths(tmp_path))
    mirror(app, Objects(NODES))
    (reason,) = mirror(app, Objects(COMMUNITY)).values()
    assert "right cluster" in reason
    assert len(app.inventory().nodes) == 3
    app.store.close()


def known(**fields: object) -> Known:
    """A device with which all is well."""
    identity = Identity("lab", "shop1", "abcd1234")
    tunnels = {"hub1": TunnelState(up=True, chosen=True)}
    report = Report(identity, "0.1.0", NOW, 3, "d3", "kernel", tunnels=tunnels)
    device = StoredDevice("shop1", "abcd1234", NOW, NOW, None, structs.replace(report, **fields))
    return Known(Node("shop1", Place(Role.EDGE, "north")), device, PlanHead("shop1", 3, "d3", False), None)


@pytest.mark.parametrize(
    ("fields", "kind", "answer", "message"),
    [
        ({}, "Applied", "True", ""),
        ({"generation": 2, "digest": "d2"}, "Applied", "False", "it runs by generation 2"),
        ({"refused": "no hub left"}, "Applied", "False", "no hub left"),
        ({"tunnels": {"hub1": TunnelState(up=False, reason="lost")}}, "TunnelUp", "False", "lost"),
        ({"tables": {"nft": PhaseCount(failed=1, reason="no nft")}}, "Degraded", "True", "nft: no nft"),
    ],
)
def test_what_is_said_of_a_device(fields: dict[str, object], kind: str, answer: str, message: str) -> None:
    status = device_status(known(**fields), None, NOW)
    condition = condition_of(status.conditions, kind)
    assert condition
    assert (condition.status, status.message) == (answer, message)


def test_a_device_that_never_came_in() -> None:
    status = device_status(Known(None, None, None, None), None, NOW)
    assert status.state == "not-enrolled"
    assert "token create" in status.message


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    before = device_status(known(), None, NOW)
    later = NOW + timedelta(hours=1)
    after = device_status(known(refused="no"), before, later)
    times = {each.type: each.last_transition_time for each in after.conditions}
    assert times == {"Planned": NOW, "Applied": later, "TunnelUp": NOW, "Degraded": NOW}


def test_having_been_seen_is_written_now_and_then() -> None:
    """Ten thousand devices ask twice a minute each."""
    before = device_status(known(), None, NOW)
    soon, later = (
        device_status(replace(known(), polled=NOW + span), before, NOW)
        for span in (SEEN_EVERY / 2, SEEN_EVERY)
    )
    assert worth_writing(before, None)
    assert not worth_writing(soon, before)
    assert worth_writing(later, before)


def community(*members: str, **fields: Any) -> Community:
    return Community("shops", members, **fields)


def member(answer: Literal["True", "False", "Unknown"], message: str = "", **fields: Any) -> DeviceStatus:
    """A member whose tunnel is like this, and with which all else is well."""
    others = {"Planned": "True", "Applied": "True", "Degraded": "False"} | fields
    conditions = [Condition(kind, said, "r", NOW, message) for kind, said in others.items()]
    return DeviceStatus(
        role=Role.EDGE, conditions=(*conditions, Condition("TunnelUp", answer, "r", NOW, message))
    )


@pytest.mark.parametrize(
    ("devices", "fields", "kind", "answer", "message"),
    [
        ({"a": member("True"), "b": member("True")}, {}, "TunnelUp", "True", ""),
        ({"a": member("True")}, {}, "Planned", "False", "there is no node b (yet)"),
        ({"a": member("True"), "b": member("False", "no echo")}, {}, "TunnelUp", "False", "b: no echo"),
        (
            {"a": member("True"), "b": member("False")},
            {"on_down": OnDown.SPILL},
            "Degraded",
            "True",
            "b has no tunnel: its services are left to the next tier",
        ),
        (
            {"a": member("True"), "b": member("True", "at 3", Applied="False")},
            {},
            "Applied",
            "False",
            "b: at 3",
        ),
        (
            {"a": member("True"), "b": member("True", "waits", Planned="False")},
            {},
            "Planned",
            "False",
            "b: waits",
        ),
    ],
)
def test_what_is_said_of_a_community(
    devices: dict[str, DeviceStatus], fields: dict[str, Any], kind: str, answer: str, message: str
) -> None:
    status = community_status(community("a", "lab.b", "far.c", **fields), "lab", devices, "", None, NOW)
    condition = condition_of(status.conditions, kind)
    assert condition
    assert (condition.status, condition.message) == (answer, message)
    assert status.members == 2


def test_a_community_that_is_refused() -> None:
    status = community_status(None, "lab", {}, "a and b contradict each other", None, NOW)
    assert status.message == "a and b contradict each other"
