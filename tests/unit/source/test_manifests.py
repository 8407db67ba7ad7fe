# SPDX-License-Identifier: Apache-2.0
"""Manifests as they come from `kubectl get -o yaml`, and each way in which one is refused."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.source.kinds import KINDS, UnknownKindError, find_kind
from cloud.source.manifests import ManifestError, read_files, read_manifests, read_text

NODE = """
apiVersion: v1
kind: Node
metadata:
  name: shop1
  creationTimestamp: 2024-03-01T12:00:00Z
  uid: 6d0e0c5e-7d2b-4c0e-9f53-1f2a3b4c5d6e
  resourceVersion: "4711"
  deletionTimestamp: null
  labels: {kubernetes.io/os: linux, node-role.kubernetes.io/edge: ""}
  annotations: {fabedge.io/node-public-addresses: 203.0.113.7}
  managedFields:
  - {manager: kubelet, operation: Update, fieldsV1: {"f:metadata": {}}}
spec:
  podCIDR: 10.200.1.0/24
  podCIDRs: [10.200.1.0/24, "fd00:200:0:1::/64"]
  providerID: kind://docker/x/y
  taints: [{key: node-role.kubernetes.io/edge, effect: NoSchedule}]
status:
  addresses:
  - {type: InternalIP, address: 192.168.1.10}
  - {type: Hostname, address: shop1}
  capacity: {cpu: "4", pods: "110"}
  conditions: [{type: Ready, status: "True", lastHeartbeatTime: 2024-03-01T12:00:00Z}]
  nodeInfo: {kernelVersion: 6.1.0, architecture: arm64}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.80
  clusterIPs: [10.96.0.80]
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  ports: [{name: http, port: 80, protocol: TCP, targetPort: http, nodePort: 30080, appProtocol: http}]
  selector: {app: web}
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 10800}}
  type: NodePort
status: {loadBalancer: {}}
"""

SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x7, namespace: shop, generateName: web-, labels: {kubernetes.io/service-name: web},
  ownerReferences: [{apiVersion: v1, kind: Service, name: web, uid: "1", controller: true}]}
addressType: IPv4
endpoints:
- addresses: [10.200.1.5]
  conditions: {ready: true, serving: true, terminating: false}
  nodeName: shop1
  targetRef: {kind: Pod, name: web-1, namespace: shop}
  zone: a
ports: [{name: http, port: 8080, protocol: TCP}]
"""

COMMUNITY = "apiVersion: %s\nkind: Community\nmetadata: {name: shops}\nspec: {members: [lab.shop1, shop2]}\n"
DEVICE = """
apiVersion: orillo.io/v1alpha1
kind: Device
metadata: {name: shop1}
spec: {role: edge, site: hall, region: north, zone: a, publicAddresses: [a.example], hubs: [c1], cloud: deny}
"""
KIND_HEAD: dict[str, str] = {
    "Node": "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n",
    "Service": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
    "EndpointSlice": "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\n",
    "Community": "apiVersion: orillo.io/v1alpha1\nkind: Community\nmetadata: {name: a}\n",
    "Device": "apiVersion: orillo.io/v1alpha1\nkind: Device\nmetadata: {name: a}\n",
}


def refused(text: str) -> ManifestError:
    """Why `text` is refused; the error's text is one line with all of it."""
    with pytest.raises(ManifestError) as caught:
        read_text(text, "site.yaml")
    error = caught.value
    line = str(error)
    assert "\n" not in line
    assert line.startswith(f"site.yaml, document {error.document}, ")
    assert error.field in line
    assert error.problem in line
    assert error.remedy in line
    return error


def test_real_manifests_are_taken_as_they_are() -> None:
    texts = [NODE, SERVICE, SLICE, COMMUNITY % "orillo.io/v1alpha1", DEVICE]
    found = read_text("---\n".join(texts))
    assert [manifest.key for manifest in found] == [
        ("Node", "", "shop1"),
        ("Service", "shop", "web"),
        ("EndpointSlice", "shop", "web-x7"),
        ("Community", "", "shops"),
        ("Device", "", "shop1"),
    ]
    assert found[0].body["metadata"]["creationTimestamp"] == "2024-03-01T12:00:00Z"
    assert "deletionTimestamp" not in found[0].body["metadata"]
    assert read_text(COMMUNITY % "fabedge.io/v1alpha1")[0].api_version == "fabedge.io/v1alpha1"


def test_list_json_and_default_namespace() -> None:
    text = """{"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [
      {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
      {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b", "namespace": "x"}}]}"""
    assert [manifest.title for manifest in read_text(text)] == ["Service default/a", "Node b"]


def test_nothing_is_nothing() -> None:
    assert read_text("") == read_text("---\n# only words\n---\n") == []


@pytest.mark.parametrize(
    ("kind", "body", "field", "problem", "remedy"),
    [
        ("Node", "spec: {podCIDR5: x}", "spec.podCIDR5", "unknown field", "Did you mean `podCIDR`?"),
        ("Node", "spek: {}", "spek", "unknown field", "Did you mean `spec`?"),
        ("Node", "spec: {podCIDR: 10.0.0.1/24}", "spec.podCIDR", "host bits", "Write 10.0.0.0/24"),
        ("Node", "spec: {podCIDRs: [10]}", "spec.podCIDRs[0]", "10 is not a string", "Correct"),
        ("Node", "spec: {podCIDRs: 10.0.0.0/8}", "spec.podCIDRs", "expected `array`", "Correct"),
        ("Service", "spec: {ports: [{prot: 80}]}", "spec.ports[0].prot", "unknown", "Did you mean `port`?"),
        ("Service", "spec: {ports: [{port: 0}]}", "spec.ports[0].port", "expected `int` >= 1", "Correct"),
        ("Service", "spec: {clusterIP: Nine}", "spec", "'Nine' does not appear", "Correct"),
        ("EndpointSlice", "ports: []", "addressType", "missing", "Add the field `addressType`"),
        ("Community", "spec: {members: [a, 1]}", "spec.members[1]", "expected `str`, got `int`", "Correct"),
        (
            "Community",
            "spec: {members: [a], x: 1}",
            "spec.x",
            "unknown",
            "the fields here are from, members, onTunnelDown, ports, selector, to",
        ),
        ("Community", "spec: {}", "spec", "it names nobody", "Correct"),
        ("Community", "spec: {from: {members: [a]}}", "spec", "`from` and `to` go together", "Correct"),
        ("Community", "spec: {from: {}, to: {}}", "spec.from", "it names nobody", "Correct"),
        (
            "Community",
            "spec: {members: [a], from: {members: [a]}, to: {members: [b]}}",
            "spec",
            "give the one or the other",
            "Correct",
        ),
        ("Community", "spec: {selector: {}}", "spec.selector", "would take every node", "Correct"),
        (
            "Community",
            "spec: {selector: {matchExpressions: [{key: a, operator: In}]}}",
            "spec.selector.matchExpressions[0]",
            "operator In needs at least one value",
            "Correct",
        ),
        ("Community", "spec: {members: [], onTunnelDown: leak}", "spec.onTunnelDown", "'leak'", "Correct"),
        ("Device", "spec: {uplink: pigeon}", "spec.uplink", "'pigeon'", "Correct"),
        ("Device", "spec: {lan: [192.168.1.10/24]}", "spec.lan[0]", "host bits", "Write 192.168.1.0/24"),
        (
            "Community",
            "spec: {members: [], ports: [{protocol: X}]}",
            "spec.ports[0]",
            "'X' is none of",
            "Correct",
        ),
        (
            "Community",
            "spec: {members: [], ports: [{endPort: 3}]}",
            "spec.ports[0]",
            "endPort needs",
            "Correct",
        ),
        ("Device", "spec: {role: boss}", "spec.role", "'boss'", "Correct"),
        ("Device", "spec: {hub: [a]}", "spec.hub", "unknown field", "Did you mean `hubs`?"),
    ],
)
def test_field_at_fault(kind: str, body: str, field: str, problem: str, remedy: str) -> None:
    error = refused(f"---\n---\n{KIND_HEAD[kind]}{body}\n")
    assert error.document == 2
    assert error.field == field
    assert problem in error.problem
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("kind: Node", "apiVersion", "missing"),
        ("apiVersion: v1\nkind: Pod", "kind", "kind 'Pod' is not kept"),
        ("apiVersion: v2\nkind: Node", "apiVersion", "Node has no version 'v2'"),
        ("apiVersion: v1\nkind: Node\nmetadata: {name: Shop_1}", "metadata.name", "'Shop_1' is no name"),
        ("apiVersion: v1\nkind: Node\nkind: Node", "line 3", "the key 'kind' is given twice"),
        ('{"kind": 1, "kind": 2}', "kind", "the key 'kind' is given twice"),
        ("a: [1", "line 2", "did not find expected"),
        ("just words", "", "a str is no Kubernetes object"),
        ("- a", "", "a list is no Kubernetes object"),
        ("a: &a [*a]", "", "too deep or too large"),
        ("a: !!python/object:os.system x", "line 1", "could not determine a constructor"),
        ("1: a", "", "the key 1 is not a string"),
        ("\x00", "", "this is not YAML"),
        ("apiVersion: v1\nkind: List\nitems: a", "items", "not a list"),
        ("apiVersion: v1\nkind: List\nitems: [{kind: Node}]", "items[0].apiVersion", "missing"),
    ],
)
def test_text_at_fault(text: str, field: str, problem: str) -> None:
    error = refused(text)
    assert error.field == field
    assert problem in error.problem


def test_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too deep or too large" in refused("\n".join(lines)).problem


def test_name_given_twice_names_both_places() -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifests([("one.yaml", NODE), ("two.yaml", NODE)])
    assert str(caught.value).startswith("two.yaml, document 1, metadata.name: Node shop1 is given twice")
    assert "one.yaml, document 1" in str(caught.value)


def test_community_of_either_group_is_the_same_object() -> None:
    error = refused("---\n".join(COMMUNITY % f"{group}.io/v1alpha1" for group in ("orillo", "fabedge")))
    assert "Community shops is given twice" in error.problem


def test_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(NODE)
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "j"}}')
    (tmp_path / "README.md").write_text("no manifest")
    assert [manifest.name for manifest in read_files([tmp_path])] == ["j", "shop1"]
    with pytest.raises(ManifestError, match=r"gone\.yaml, document 1, whole document: can't be read"):
        read_files([tmp_path / "gone.yaml"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("node", "Node"),
        ("Nodes", "Node"),
        ("NO", "Node"),
        ("svc", "Service"),
        ("endpointslices", "EndpointSlice"),
        ("communities.fabedge.io", "Community"),
        ("communities.orillo.io", "Community"),
        ("device", "Device"),
    ],
)
def test_names_of_kinds(name: str, kind: str) -> None:
    assert find_kind(name).name == kind


def test_kinds_are_told_apart_by_every_name() -> None:
    names = [name for kind in KINDS for name in kind.names]
    assert len(names) == len(set(names))
    with pytest.raises(UnknownKindError, match="no kind is called 'pods': Use one of nodes, services"):
        find_kind("pods")


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=100)
@given(st.text() | st.builds(str, _JSON))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `ManifestError` comes out of a bad file."""
    with suppress(ManifestError):
        read_text(text)
