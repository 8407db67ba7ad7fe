# SPDX-License-Identifier: Apache-2.0
"""What the manifests let anybody do: no more than is listed with its reason."""

import re
from typing import Any

import pytest

from tests.unit.kubernetes.manifests import FOLDER, containers, data_plane, objects, of_kind

_RULES = [
    (body["kind"], rule)
    for body in objects()
    if body["kind"] in ("ClusterRole", "Role")
    for rule in body["rules"]
]


def test_the_plain_manifest_has_the_rights_of_rbac_yaml() -> None:
    """`./dev chart` renders it anew."""
    made = objects()
    assert [body for body in objects("rbac.yaml") if body not in made] == []


@pytest.mark.parametrize(("kind", "rule"), _RULES)
def test_no_right_is_a_wildcard(kind: str, rule: dict[str, Any]) -> None:
    assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]), kind
    assert not any("*" in name for name in rule.get("resourceNames", ())), kind


@pytest.mark.parametrize(("kind", "rule"), _RULES)
def test_secrets_are_reached_by_name_in_one_namespace(kind: str, rule: dict[str, Any]) -> None:
    if "secrets" in rule["resources"]:
        assert kind == "Role"
        assert rule.get("resourceNames")
        assert not {"list", "watch", "create"} & set(rule["verbs"])


def test_nobody_is_bound_to_a_role_of_others() -> None:
    ours = {body["metadata"]["name"] for body in of_kind("ClusterRole", "Role")}
    for binding in of_kind("ClusterRoleBinding", "RoleBinding"):
        assert binding["roleRef"]["name"] in ours
        assert [subject["kind"] for subject in binding["subjects"]] == ["ServiceAccount"]


def test_the_operator_is_nobody() -> None:
    (deployment,) = of_kind("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.get("hostNetwork")
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_data_plane_holds_no_credential_of_the_cluster() -> None:
    assert set(data_plane()) == {"connector", "cloud-node"}
    for pod in data_plane().values():
        assert pod["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in pod
        (secret,) = [volume for volume in pod["volumes"] if "secret" in volume or "projected" in volume]
        assert secret["secret"]["secretName"] == "orillo-join"
        assert [each["name"] for each in containers(pod) if secret["name"] in _mounts(each)] == ["enroll"]


def _mounts(container: dict[str, Any]) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_data_plane_has_only_what_is_listed_with_its_reason() -> None:
    wanted = set()
    for pod in data_plane().values():
        assert pod["hostNetwork"] is True
        assert not pod.get("hostPID")
        assert not pod.get("hostIPC")
        paths = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v}
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            assert "privileged" not in context
            has = [*context["capabilities"].get("add", ())]
            has += [f"host path {paths[name]}" for name in _mounts(container) if name in paths]
            wanted |= {(container["name"], what) for what in has}
    wanted |= {("all", "host network"), ("all", "uid 0")}
    assert wanted == _listed()


def _listed() -> set[tuple[str, str]]:
    """The table of the README: container and what it has; a row without a reason does not count."""
    section = (FOLDER / "README.md").read_text().partition("## What each pod may do")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]{10,} \|$", section, re.MULTILINE)
    return {(name, what) for names, what in rows for name in names.split(", ")}


def test_one_connector_is_replaced_at_a_time() -> None:
    for body in of_kind("DaemonSet"):
        assert body["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
        assert body["spec"]["minReadySeconds"] >= 30
