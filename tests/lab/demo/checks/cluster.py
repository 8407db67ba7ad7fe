# SPDX-License-Identifier: Apache-2.0
"""`kubectl-devices`: one screen of kubectl tells how every device is. Only with `--kubernetes`."""

from tests.lab.demo import topology as demo
from tests.lab.demo.check import CheckFailedError, expect
from tests.lab.demo.world import World
from tests.lab.kube_operator import KubeOperator
from tests.lab.wait import until

_WELL = ["enrolled", "True", "True"]


def kubectl_devices(world: World) -> str:
    """Each device enrolled, on its newest plan, with a tunnel up by its own probe."""
    operator = world.operator
    if not isinstance(operator, KubeOperator):
        raise CheckFailedError("this operator follows no cluster")

    def rows() -> dict[str, list[str]]:
        lines = operator.cluster.kubectl("get", "devices", "--no-headers").splitlines()
        return {line.split()[0]: line.split() for line in lines}

    def well() -> dict[str, list[str]]:
        found = rows()
        edges = [found.get(name, [])[3:6] for name in demo.EDGES]
        return found if all(edge == _WELL for edge in edges) else {}

    found = until(well, "kubectl get devices shows every edge up", 30, explain=lambda: str(rows()))
    expect(set(found) == set(demo.DEVICES), f"kubectl get devices has {sorted(found)}")
    return f"{len(found)} devices; " + ", ".join(
        f"{name} {' '.join(found[name][3:6])}" for name in demo.EDGES
    )
