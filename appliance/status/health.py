# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to what is wrong. Pure."""

from appliance.netcore.health.condition import Condition, worst
from appliance.netcore.health.engine import conclude
from appliance.status.model import Snapshot
from appliance.status.told import told

__all__ = ["conditions", "worst"]


def conditions(snapshot: Snapshot) -> tuple[Condition, ...]:
    """All that is not as it should be, gravest first.

    The agent's own conclusions, which come of looking at the box; until it has any, what the snapshot itself
    shows.
    """
    return snapshot.conditions or conclude(told(snapshot))
