# SPDX-License-Identifier: Apache-2.0
"""A source that follows the real server as the operator's account, and what it has to be equal to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cloud.replicas.ledger import LEDGERS
from cloud.source.access import NAMESPACE, from_kubeconfig
from cloud.source.api import SILENCE, Api
from cloud.source.definitions import definitions
from cloud.source.kubernetes import KubernetesSource
from cloud.source.resources import RESOURCES, Resource
from tests.kube.server import OPERATOR_TOKEN, KubeServer

MANIFESTS = Path(__file__).parents[2] / "packaging/kubernetes"
DEADLINE = 10.0
_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "orillo-cloud"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "orillo-cloud"},
    "subjects": [{"kind": "User", "name": "operator"}],
}
_OWN_BINDING = _BINDING | {
    "kind": "RoleBinding",
    "metadata": {"name": "orillo-cloud", "namespace": NAMESPACE},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "orillo-cloud"},
}
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def uninstall(kube: KubeServer) -> None:
    """What replicas share is gone; definitions and rights stay."""
    kube.ask("DELETE", LEDGERS.path)
    kube.kubectl("delete", "secret,lease", "orillo-cloud", "--namespace", NAMESPACE, "--ignore-not-found")


def install(kube: KubeServer) -> None:
    """Our definitions, and the operator's rights for the test's operator account."""
    files = ("-", *(str(MANIFESTS / name) for name in ("crds", "rbac.yaml", "state.yaml")))
    words = [word for file in files for word in ("-f", file)]
    kube.kubectl("apply", *words, text=yaml.safe_dump_all([_NAMESPACE, _BINDING, _OWN_BINDING]))
    kube.kubectl("wait", "--for=condition=Established", *(f"crd/{name}" for name in definitions()))
    kube.kubectl("get", ",".join(definitions()))  # established, and served by now


def api_for(kube: KubeServer, port: int = 0, silence: float = SILENCE) -> Api:
    """The operator's door to the server, or to a proxy before it."""
    access = from_kubeconfig(kube.kubeconfig(OPERATOR_TOKEN))
    return Api(replace(access, server=f"https://127.0.0.1:{port or kube.port}"), silence)


@asynccontextmanager
async def following(api: Api, resources: Sequence[Resource] = RESOURCES) -> AsyncIterator[KubernetesSource]:
    """A source at work."""
    source = KubernetesSource(api, resources)
    work = asyncio.create_task(source.run())
    try:
        yield source
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await api.close()


async def until(holds: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Look until it holds, and let the operator work in between."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not holds():
        assert loop.time() < end, f"not within {deadline:.0f} s: {what}"
        await asyncio.sleep(0.05)


async def settles(kube: KubeServer, source: KubernetesSource, deadline: float = DEADLINE) -> None:
    """Wait until the source's view is equal to the server's list."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while True:
        wanted = await asyncio.to_thread(listed, kube)
        seen = {key: essence(manifest.body) for key, manifest in source.all().items()} if source.ready else {}
        if source.ready and wanted == seen:
            return
        differing = sorted({key for key in wanted.keys() | seen.keys() if wanted.get(key) != seen.get(key)})
        assert loop.time() < end, f"waiting for {source.missing}; different: {differing[:5]}"
        await asyncio.sleep(0.05)


def listed(kube: KubeServer) -> dict[tuple[str, str, str], Any]:
    """What the server has, read by other means than the source's."""
    found = {}
    for resource in RESOURCES:
        answer = kube.admin.get(resource.path, params={"labelSelector": resource.selector})
        for item in answer.json().get("items", []) if answer.status_code == 200 else []:
            metadata = item["metadata"]
            found[(resource.kind.name, metadata.get("namespace", ""), metadata["name"])] = essence(item)
    return found


def essence(body: dict[str, Any]) -> dict[str, Any]:
    """What of an object a plan could depend on, by hand."""
    spec, metadata = body.get("spec") or {}, body["metadata"]
    ours = ("node-role.", "orillo.io/", "topology.", "kubernetes.io/service-name")
    labels = metadata.get("labels") or {}
    return {
        "labels": {name: text for name, text in labels.items() if name.startswith(ours)},
        "podCIDRs": spec.get("podCIDRs") or [],
        "clusterIPs": spec.get("clusterIPs") or [],
        "members": spec.get("members") or [],
        "role": spec.get("role"),
        "backends": [endpoint["addresses"] for endpoint in body.get("endpoints") or []],
        "ports": [port.get("port") for port in [*(spec.get("ports") or []), *(body.get("ports") or [])]],
    }
