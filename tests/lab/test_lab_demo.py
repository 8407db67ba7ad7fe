# SPDX-License-Identifier: Apache-2.0
"""The demo: its report, and the whole of it as the acceptance test that it is."""

import json
import sys

import pytest

from tests.lab.command import attempt
from tests.lab.demo.checks import CHECKS
from tests.lab.demo.report import Outcome, as_json, table
from tests.lab.process import environment

#: The ids that the demo promises, in the words of its specification.
PROMISED = {
    "enrolled",
    "edge-to-cloud",
    "cloud-to-edge",
    "edge-to-edge",
    "not-in-community",
    "relay-across-hubs",
    "encrypted",
    "fail-closed",
    "hub-failover",
    "service-nearest",
    "service-spill",
    "dns",
    "terminal",
    "cut-uplink",
    "cold-boot-offline",
    "agent-crash",
    "policy-change",
    "bad-input",
    "purge",
}
#: Promised since.
MORE = {"one-way", "lan-host", "community-spill"}
_LONGEST = 270.0  # seconds, on two processors


def test_every_promise_has_its_check() -> None:
    """And no check has two rows; `purge` is last, since nothing is left after it."""
    ids = [check.id for check in CHECKS]
    assert sorted(ids) == sorted(PROMISED | MORE)
    assert ids[-2:] == ["encrypted", "purge"]


def test_report_for_programs() -> None:
    """The shape that others read."""
    good, bad = Outcome("dns", True, "resolves", 1.26), Outcome("purge", False, "left a route", 0.0)
    assert json.loads(as_json([good, bad], 61.04)) == {
        "ok": False,
        "seconds": 61.0,
        "checks": [
            {"id": "dns", "ok": True, "detail": "resolves", "seconds": 1.3},
            {"id": "purge", "ok": False, "detail": "left a route", "seconds": 0.0},
        ],
    }
    assert json.loads(as_json([good], 1))["ok"] is True
    assert json.loads(as_json([], 1))["ok"] is False


def test_report_for_people() -> None:
    """A verdict in each row, and no line wider than a wide terminal."""
    long = Outcome("encrypted", True, "ESP " * 60, 2.0)
    text = table([long, Outcome("dns", False, "", 0.1), Outcome("purge", True, "skipped", 0.0)], ["purge"])
    verdicts = [line.split()[1] for line in text.splitlines() if not line.startswith(" ")]
    assert verdicts == ["ok", "FAIL", "skip"]
    assert max(map(len, text.splitlines())) <= 120


def test_unknown_check_is_a_usage_error() -> None:
    """With the known ones named."""
    result = attempt(sys.executable, "-m", "tests.lab.demo", "--only", "nonsense", env=environment())
    assert result.code == 2
    assert "hub-failover" in result.err


@pytest.mark.lab
def test_demo_holds() -> None:
    """All of it, for real."""
    command = (sys.executable, "-m", "tests.lab.demo", "--json")
    result = attempt(*command, timeout=2 * _LONGEST, env=environment())
    report = json.loads(result.out.splitlines()[-1])
    failed = [f"{check['id']}: {check['detail']}" for check in report["checks"] if not check["ok"]]
    assert not failed, "\n".join(failed)
    assert result.code == 0
    assert report["seconds"] <= _LONGEST
