# SPDX-License-Identifier: Apache-2.0
"""The list of all faults, and of pairs whose root has to be named first."""

from tests.bench.faults.board import BOARD
from tests.bench.faults.box import BOX, killed
from tests.bench.faults.control import CONTROL, operator_stopped
from tests.bench.faults.fault import Fault, both
from tests.bench.faults.site import SITE, dead_backend
from tests.bench.faults.tunnels import TUNNELS, hub_dead, own_output
from tests.bench.faults.uplink import UPLINK, cut, no_cable, no_default_route
from tests.lab.device import Daemon

FAULTS: tuple[Fault, ...] = (*BOARD, *BOX, *UPLINK, *CONTROL, *TUNNELS, *SITE)

PAIRS: tuple[Fault, ...] = (
    Fault("cable+backend", "no cable, and a dead backend", "link-no-carrier", both(no_cable, dead_backend)),
    Fault(
        "route+operator",
        "no default route, and the operator down",
        "route-default-missing",
        both(no_default_route, operator_stopped),
    ),
    Fault("line+hub", "the line cut, and a hub down", "internet-unreachable", both(cut, hub_dead)),
    Fault(
        "firewall+hub",
        "our own firewall drops IKE, and a hub is down",
        "firewall-foreign-output",
        both(own_output, hub_dead),
    ),
    Fault(
        "charon+operator",
        "charon dead, and the operator down",
        "charon-not-running",
        both(killed(Daemon.CHARON), operator_stopped),
    ),
)
