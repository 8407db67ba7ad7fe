# SPDX-License-Identifier: Apache-2.0
"""The chart, and the plain manifest that is made of it, on the real API server."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kube.kubelet import running_pod
from tests.kube.server import ADMIN_TOKEN, KubeServer, wait_until
from tests.kube.things import NODES, node
from tests.unit.cloudcli.running import Run, made_operator, runner, short_root  # noqa: F401 -- fixtures
from tests.unit.endpoint.operators import COMMUNITY
from tests.unit.endpoint.operators import NODES as SITE
from tests.unit.kubernetes.manifests import FOLDER, objects

_TREE = Path(__file__).parents[2]
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orillo"
NAMESPACE = "orillo-system"


def helm() -> str:
    """Where helm is; the test is skipped where it was never built."""
    command = (str(_TREE / "tests/helm/build.sh"), str(_CACHE), "--where")
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not found:
        pytest.skip("needs helm: run ./dev chart once, with Go installed")
    return found


@pytest.fixture
def namespace(cluster: KubeServer) -> Iterator[str]:
    """The namespace of the manifest. No controller runs here that would finish its deletion."""
    try:
        yield NAMESPACE
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        cluster.ask("PUT", f"/api/v1/namespaces/{NAMESPACE}/finalize", _without_finalizers())


def _without_finalizers() -> dict[str, object]:
    metadata, nothing = {"name": NAMESPACE}, {"finalizers": list[str]()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": nothing}


def test_the_plain_manifest_is_the_charts_rendering() -> None:
    rendered = subprocess.run(
        (str(_TREE / "tests/helm/render.sh"), helm()), capture_output=True, text=True, check=True
    ).stdout
    assert rendered == (FOLDER / "orillo.yaml").read_text(), "run ./dev chart"


def test_the_chart_is_well_formed_and_takes_other_values(tmp_path: Path) -> None:
    program = helm()
    subprocess.run((program, "lint", "--strict", str(FOLDER)), capture_output=True, check=True)
    words = ("--set", "dataPlane.enabled=false", "--set", "addresses={192.0.2.1,fabric.example}")
    made = subprocess.run(
        (program, "template", "x", str(FOLDER), "--namespace", "other", "--kube-version", "1.36.0", *words),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DaemonSet" not in made
    assert 'addresses = ["192.0.2.1","fabric.example"]' in made
    assert NAMESPACE not in made


def test_the_server_accepts_every_object(cluster: KubeServer, namespace: str) -> None:
    """Strictly: a field that it does not know is an error."""
    said = cluster.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", str(FOLDER / "orillo.yaml")
    )
    assert len(said.splitlines()) == len(objects())
    assert all(line.endswith("(server dry run)") for line in said.splitlines())


def test_what_the_operators_account_may_do(cluster: KubeServer, namespace: str) -> None:
    cluster.kubectl("apply", "-f", str(FOLDER / "orillo.yaml"))

    def may(verb: str, what: str, *where: str) -> bool:
        account = f"--as=system:serviceaccount:{namespace}:orillo-cloud"
        return cluster.kubectl("auth", "can-i", verb, what, account, *where, check=False).split()[0] == "yes"

    assert may("list", "nodes")
    assert may("patch", "devices.orillo.io", "--subresource=status")
    assert may("update", "ledgers.orillo.io")
    here = ("--namespace", namespace)
    for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
        assert not may(verb, "secrets", "--all-namespaces"), verb
        assert not may(verb, "secrets", *here), verb
        assert not may(verb, "secret/orillo-join", *here), verb
        assert not may(verb, "secret/orillo-cloud", "--namespace", "default"), verb
        for kind in ("secret", "lease.coordination.k8s.io"):
            assert may(verb, f"{kind}/orillo-cloud", *here) == (verb in ("get", "patch")), (kind, verb)
    for verb, what in (
        ("*", "*"),
        ("create", "pods"),
        ("get", "pods/exec"),
        ("update", "nodes"),
        ("impersonate", "users"),
        ("create", "clusterrolebindings"),
        ("create", "serviceaccounts/token"),
    ):
        assert not may(verb, what), (verb, what)
    default = f"--as=system:serviceaccount:{namespace}:default"
    assert "no" in cluster.kubectl("auth", "can-i", "get", "nodes", default, check=False).split()


def test_of_a_node_the_operator_changes_one_annotation(cluster: KubeServer, namespace: str) -> None:
    """RBAC knows no such right, so a policy of admission holds it."""
    cluster.kubectl("apply", "-f", str(FOLDER / "orillo.yaml"))
    cluster.ask("POST", NODES, node("shop1", annotations={"other": "x"}))
    account = f"--as=system:serviceaccount:{namespace}:orillo-cloud"

    def patch(fields: str) -> str:
        return cluster.kubectl("patch", "node", "shop1", account, "--type=merge", "-p", fields, check=False)

    refusal = "may change nothing of a Node but its annotation"
    spoilt = '{"metadata": {"labels": {"a": "b"}}}'
    # A policy holds some moments after it was made.
    wait_until(lambda: refusal in patch(spoilt), "the guard stands", 30)
    for fields in (
        '{"spec": {"unschedulable": true}}',
        '{"metadata": {"annotations": {"other": "y"}}}',
        '{"metadata": {"annotations": {"other": null}}}',
        '{"metadata": {"annotations": {"new": "y"}}}',
    ):
        assert refusal in patch(fields), fields
    for value in ('"10.200.1.0/24"', '"10.200.2.0/24"', "null"):
        said = patch(f'{{"metadata": {{"annotations": {{"orillo.io/allotted-prefixes": {value}}}}}}}')
        assert "patched" in said, said
    cluster.kubectl("label", "node", "shop1", "a=c")  # others are not its concern
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        cluster.kubectl("delete", kind, "orillo-node-guard")


def test_uninstalling_leaves_what_the_readme_says(cluster: KubeServer, namespace: str) -> None:
    cluster.kubectl("apply", "-f", str(FOLDER / "orillo.yaml"))
    cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", str(FOLDER / "orillo.yaml"))
    ours = "--selector=app.kubernetes.io/name=orillo"
    kinds = "clusterroles,clusterrolebindings,crds"
    left = cluster.kubectl("get", kinds, ours, "-o", "name").split()
    definitions = {f"customresourcedefinition.apiextensions.k8s.io/{file.stem}" for file in _definitions()}
    # The rights belong to the tests of this folder, too: `install` makes them anew.
    assert set(left) == definitions


def _definitions() -> list[Path]:
    return sorted((FOLDER / "crds").glob("*.yaml"))


def plugin(cluster: KubeServer, *words: str) -> str:
    """What real kubectl says when it runs our plug-in."""
    path = f"{FOLDER}:{cluster.programs}:/usr/bin:/bin"
    environment = {"PATH": path, "KUBECONFIG": str(cluster.kubeconfig(ADMIN_TOKEN)), "HOME": "/nonexistent"}
    command = (f"{cluster.programs}/kubectl", *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)
    return done.stdout + done.stderr


def test_kubectl_runs_the_plug_in(cluster: KubeServer, namespace: str) -> None:
    """No kubelet is here to run the operator's pod: what is seen is that the server was asked for it."""
    assert f"{FOLDER}/kubectl-orillo" in plugin(cluster, "plugin", "list")
    assert "explain A B" in plugin(cluster, "orillo", "help")
    said = plugin(cluster, "orillo", "explain", "shop1", "shop2")
    assert 'deployments.apps "orillo-cloud" not found' in said


#: What one types after `kubectl orillo`, and the operator's own words for it.
VERBS = [
    ("explain shop1 shop2", "explain shop1 shop2"),
    ("plan shop1", "plan show shop1"),
    ("plan show shop1 -o json", "plan show shop1 -o json"),
    ("plan site shop1 -", "plan site shop1 -"),
    ("plan key", "plan key"),
    ("token shop1 --ttl 2h", "token create --name shop1 --ttl 2h"),
    ("token hub-* --uses 4", "token create --pattern hub-* --uses 4"),
    ("token --replace shop1", "token create --replace shop1"),
    ("token list", "token list"),
    ("devices", "device list"),
    ("clusters", "cluster list"),
    ("backup", "backup -"),
]


#: Those that are about enrolled devices, and the one that prints bytes.
NOT_HERE = ("plan show shop1", "plan show shop1 -o json", "token create --replace shop1", "backup -")


def test_the_plug_ins_words_come_to_the_operators_pod(
    cluster: KubeServer, namespace: str, tmp_path: Path, operator: Run
) -> None:
    """Real kubectl, real API server, and of a kubelet what it is asked for; the operator takes such words.

    What is missing is the way back: the streams of `kubectl exec` through a kubelet.
    """
    cluster.kubectl("apply", "-f", str(FOLDER / "orillo.yaml"))
    (deployment,) = [body for body in objects() if body["kind"] == "Deployment"]
    (tmp_path / "site.yaml").write_text(f"{SITE}---{COMMUNITY}")
    assert operator("apply", "-f", str(tmp_path / "site.yaml")).code == 0
    with running_pod(cluster, deployment, tmp_path) as kubelet:
        for typed, wanted in VERBS:
            said = plugin(cluster, "orillo", *typed.split())
            assert "unable to upgrade connection" in said, said
            path, words = kubelet.asked.pop()
            assert path == f"/exec/{namespace}/orillo-cloud-0/operator"
            assert words == ["orillo-cloud", *wanted.split()]
            if wanted not in NOT_HERE:
                assert operator(*words[1:]).code == 0, wanted


@pytest.mark.parametrize(("words", "wanted"), VERBS)
def test_the_plug_ins_verbs_are_the_operators(tmp_path: Path, words: str, wanted: str) -> None:
    """In a pod of the operator's, by whatever `kubectl` is on the path."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "$@"\n')
    kubectl.chmod(0o755)
    done = subprocess.run(
        (str(FOLDER / "kubectl-orillo"), *words.split()),
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    where = "exec --namespace orillo-system deployment/orillo-cloud -- orillo-cloud"
    assert done.stdout == f"{where} {wanted}\n"
