# SPDX-License-Identifier: Apache-2.0
"""The demo as a test: every promise of the README's table holds, and nothing is left behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
#: The promise for two processors, in seconds.
LONGEST = 240


def namespaces() -> set[str]:
    """The names of the network namespaces that stand now."""
    listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines() if line}


def test_every_check_holds() -> None:
    before = namespaces()
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.demo", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * LONGEST,
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    outcome = json.loads(lines[-1])
    failed = {check["id"]: check["detail"] for check in outcome["checks"] if not check["ok"]}
    assert failed == {}
    assert len(outcome["checks"]) == 18
    assert outcome["ok"]
    assert done.returncode == 0
    assert outcome["seconds"] <= LONGEST
    assert namespaces() <= before
