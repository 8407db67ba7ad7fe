# SPDX-License-Identifier: Apache-2.0
"""The operator on a real Kubernetes API server, both in one namespace of the lab."""

import json
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from typing import Any

from cloud.planner.roles import EDGE_LABEL
from cloud.source.documents import read_documents
from cloud.source.kinds import find_kind
from tests.kube.cluster import install
from tests.kube.server import OPERATOR_TOKEN, KubeServer
from tests.lab.operator import Operator
from tests.lab.wait import until

#: Far from the blocks that the operator allots by itself, which begin with the first.
_FIRST_BLOCK = 100


@dataclass
class KubeOperator(Operator):
    """As `Operator`; manifests go to the API server, in which each edge has its `podCIDRs`.

    The cloud's nodes have none: with them they would have a CNI of the cluster's own, which the lab lacks.
    `programs` is where `./dev kube` put them. `pools` are what pod prefixes are made of.
    """

    programs: Path = Path()
    pools: tuple[str, ...] = ()

    @cached_property
    def cluster(self) -> KubeServer:
        """The API server, started when first asked for."""
        directory = self.installation.root / "kubernetes"
        directory.mkdir(parents=True)
        server = KubeServer(self.programs, directory, self.installation.ns)
        install(server)
        return server

    def start(self) -> None:
        """Start the API server once, and the operator as one that follows it."""
        config = self.cluster.kubeconfig(OPERATOR_TOKEN)
        self.serving = ("serve", "--kubernetes", "--kubeconfig", str(config))
        super().start()

    def apply(self, *files: Path) -> None:
        """Apply manifests with kubectl, and wait until the operator knows of them.

        Not for a community: how long that takes from kubectl's end on is what `policy-change` measures.
        """
        documents = [body for file in files for _, body in read_documents(file.read_text())]
        for body in documents:
            if body["kind"] == "Node" and EDGE_LABEL in body["metadata"]["labels"]:
                body.setdefault("spec", {})["podCIDRs"] = self._prefixes(body["metadata"]["name"])
                body["spec"]["podCIDR"] = body["spec"]["podCIDRs"][0]
        everything = {"apiVersion": "v1", "kind": "List", "items": documents}
        self.cluster.kubectl("apply", "-f", "-", text=json.dumps(everything))
        for body in (body for body in documents if body["kind"] != "Community"):
            until(lambda body=body: self._knows(body), f"the operator sees {body['kind']}", 20)  # type: ignore[misc]

    def delete(self, kind: str, name: str) -> None:
        """Forget an object; the operator knows of it in a moment."""
        self.cluster.kubectl("delete", "communities.orillo.io" if kind == "community" else kind, name)
        if kind == "service":
            self.cluster.kubectl("delete", "endpointslices", "-l", f"kubernetes.io/service-name={name}")

    def _knows(self, body: dict[str, Any]) -> bool:
        kind, metadata = find_kind(body["kind"]), body["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}" if kind.namespaced else metadata["name"]
        result = self.call("get", kind.plural, name, "-o", "json")
        return result.ok and _wish(json.loads(result.out)) == _wish(body)

    def _prefixes(self, name: str) -> list[str]:
        """What a cluster's controller would have given the node: its own block of each pool."""
        number = self._numbers.setdefault(name, _FIRST_BLOCK + len(self._numbers))
        return [_block(pool, number) for pool in self.pools]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {}


def _block(pool: str, number: int) -> str:
    network = ip_network(pool)
    return str(next(islice(network.subnets(new_prefix=24 if network.version == 4 else 64), number, None)))


def _wish(body: dict[str, Any]) -> Any:
    """What a change that the lab makes would show in."""
    spec = body.get("spec", {})
    return [spec.get(field) for field in ("members", "hubs", "podCIDRs")], len(body.get("endpoints", ()))
