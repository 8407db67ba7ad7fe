# SPDX-License-Identifier: Apache-2.0
"""A pass that failed is tried again sooner than the next resync."""

from appliance.netcore.plan.exchange import PhaseCount
from appliance.netcore.reconcile.retries import Retries

GOOD, WAITING = PhaseCount(applied=3), PhaseCount(waiting=1, reason="waiting for charon")
FAILED = PhaseCount(applied=2, failed=1, reason="nftables refused")


def test_waits_double_up_to_the_resync_and_start_anew_after_a_good_pass() -> None:
    retries = Retries(2.0, 30.0)
    waits = [retries.after({"firewall": FAILED, "routes": GOOD}, 100.0) for _ in range(6)]
    assert waits == [102.0, 104.0, 108.0, 116.0, 130.0, 130.0]
    assert retries.after({"firewall": GOOD}, 100.0) is None
    assert retries.after({"firewall": FAILED}, 100.0) == 102.0


def test_what_waits_is_left_to_its_event() -> None:
    assert Retries(2.0, 30.0).after({"connections": WAITING}, 0.0) is None
