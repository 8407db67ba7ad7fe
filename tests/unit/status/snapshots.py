# SPDX-License-Identifier: Apache-2.0
"""Snapshots to show and to judge."""

from datetime import UTC, datetime, timedelta

from appliance.netcore.plan.exchange import PhaseCount
from appliance.netcore.plan.values import Role, Tier
from appliance.status.model import Backend, Control, ServicePort, Snapshot, State, Tunnel
from tests.unit.plan.plans import SHOP1

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def healthy() -> Snapshot:
    """shop1 on a good day."""
    return Snapshot(
        at=NOW,
        state=State.RUNNING,
        identity=SHOP1,
        role=Role.EDGE,
        generation=12,
        digest="3f2a9c81d0e4" + "0" * 52,
        plan_issued_at=NOW - timedelta(minutes=4),
        control=Control(url="https://203.0.113.1:443", connected=True, since=NOW - timedelta(hours=3)),
        ipsec="libipsec",
        ipsec_reason="the kernel has no ESP",
        hub="connector-1",
        tunnels={
            "connector-1": Tunnel(
                up=True, chosen=True, rtt=0.0123, loss=0.0, established=240, bytes_in=1_200_000, bytes_out=900
            ),
            "connector-2": Tunnel(up=True, rtt=0.02),
        },
        tables={"routes": PhaseCount(applied=9), "firewall": PhaseCount(applied=1)},
        services={
            "default/web:http": ServicePort(
                addresses=("10.96.0.10",),
                protocol="tcp",
                port=80,
                tier=Tier.NODE,
                backends=(
                    Backend(address="10.200.1.5", port=8080, tier=Tier.NODE, node="shop1", used=True),
                    Backend(address="10.200.21.5", port=8080, tier=Tier.CLOUD, alive=False),
                ),
            )
        },
        versions={"orillo": "0.1.0"},
    )


def unenrolled() -> Snapshot:
    """A new device."""
    return Snapshot(at=NOW, state=State.UNENROLLED)
