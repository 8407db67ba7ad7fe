# SPDX-License-Identifier: Apache-2.0
"""The device in one line, for who looks at a console or at `systemctl status`. Pure."""

from appliance.netcore.health.condition import Severity, worst
from appliance.status.health import conditions
from appliance.status.model import Snapshot, State

_WORDS = {Severity.INFO: "healthy", Severity.DEGRADED: "degraded", Severity.FAULT: "fault"}
#: The gravest are enough: the terminal has them all.
_MOST = 2


def headline(snapshot: Snapshot) -> str:
    """State and codes of what is wrong, such as `edge in lab, fault: tunnels-all-down, control-offline, +3`.

    The rest is a number, since a console has 80 columns, of which name and address take their share.
    """
    if snapshot.identity is None and snapshot.state is State.UNENROLLED:
        return "not enrolled"
    found = [one for one in conditions(snapshot) if one.severity is not Severity.INFO]
    health = _WORDS[worst(found)]
    every = list(dict.fromkeys(one.code for one in found))
    codes = ", ".join(every[:_MOST])
    more = f", +{len(every) - _MOST}" if len(every) > _MOST else ""
    cluster = f" in {snapshot.identity.cluster}" if snapshot.identity else ""
    return f"{snapshot.role or 'device'}{cluster}, {health}{': ' if codes else ''}{codes}{more}"
