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

_AGENTS_WORD = "what the running agent says until it has looked at all; the doctor names the cause"

#: Conditions that no fault leads to here, with the reason; tests/unit/health holds what is known of them.
NOT_INJECTED = {
    "control-offline": _AGENTS_WORD,
    "tunnel-down": _AGENTS_WORD,
    "tunnels-all-down": _AGENTS_WORD,
    "table-waiting": _AGENTS_WORD,
    "drift-repaired": "a note in the status for a minute, about what is well again; none of the doctor's",
    "routes-missing": "the kernel tells the agent of a route that goes, and it is back within milliseconds; "
    "with the agent dead or frozen, that is the cause",
    "ike-wrong-identity": "strongSwan as the hub refuses to be asked for an identity that it can't prove "
    "(`ike-auth-failed`); it takes another make of IKE daemon",
    "ike-no-credentials": "the agent loads them again at its next pass; with the agent dead or the key gone, "
    "that is the cause",
    "hub-none-chosen": "charon's reason for refusing the site's child is the cause (`child-refused`); "
    "with the agent dead, that is",
}
