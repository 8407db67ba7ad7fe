# SPDX-License-Identifier: Apache-2.0
"""The demo with its manifests in a real API server: what differs from the one without, for real."""

import json
import sys

import pytest

from tests.kube.server import KubeServer
from tests.lab.command import attempt
from tests.lab.process import environment

_LONGEST = 300.0  # seconds, on two busy processors


@pytest.mark.lab
def test_demo_holds_on_a_cluster(kube: KubeServer) -> None:
    """`kube` is here for its skip; the demo has an API server of its own, in its operator's namespace."""
    only = ["enrolled", "edge-to-edge", "kubectl-devices", "service-nearest", "policy-change", "purge"]
    words = [word for check in only for word in ("--only", check)]
    command = (sys.executable, "-m", "tests.lab.demo", "--kubernetes", "--json", *words)
    programs = {"KUBEBUILDER_ASSETS": str(kube.programs)}
    result = attempt(*command, timeout=_LONGEST, env=environment() | programs)
    report = json.loads(result.out.splitlines()[-1])
    assert [check["id"] for check in report["checks"]] == only
    assert [f"{check['id']}: {check['detail']}" for check in report["checks"] if not check["ok"]] == []
