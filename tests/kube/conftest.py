# SPDX-License-Identifier: Apache-2.0
"""One API server for all tests of this folder; each works on objects of names of its own."""

import os
from collections.abc import Iterator

import pytest

from tests.kube.cluster import install, uninstall
from tests.kube.server import KubeServer, assets
from tests.kube.things import CLUSTERS, COMMUNITIES, DEVICES, NODES, SERVICES, SLICES, TOKENS

HOW = "needs a real kube-apiserver: run ./dev kube once, or set KUBEBUILDER_ASSETS"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """The server. Where there is none the test is skipped, in CI it fails."""
    programs = assets()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW)
        pytest.skip(HOW)
    server = KubeServer(programs, tmp_path_factory.mktemp("kube"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def cluster(kube: KubeServer) -> Iterator[KubeServer]:
    """A cluster with our definitions, and nothing in it that a plan could be made of."""
    install(kube)
    try:
        yield kube
    finally:
        uninstall(kube)
        for kind in (NODES, SLICES, COMMUNITIES, CLUSTERS, DEVICES, TOKENS):
            kube.ask("DELETE", kind)
        for name in [each["metadata"]["name"] for each in kube.ask("GET", SERVICES)["items"]]:
            if name != "kubernetes":
                kube.ask("DELETE", f"{SERVICES}/{name}")
