# SPDX-License-Identifier: Apache-2.0
"""The operator's plan to be carried is one that the appliance takes: both programs, as they are called."""

import json
import os
import sys
from pathlib import Path

import pytest

from appliance.host.config import parse
from appliance.paths import Paths
from appliance.sync.imported import load_imported
from tests.lab.command import Result, attempt
from tests.unit.endpoint.operators import COMMUNITY, NODES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="`orillo plan import` is root's")


def call(program: str, root: Path, *words: str, feed: str | None = None) -> Result:
    return attempt(sys.executable, "-m", f"{program}.cli.main", "--root", str(root), *words, feed=feed)


def test_what_the_operator_makes_the_appliance_takes(tmp_path: Path) -> None:
    """By its command line, and by what goes into a card's orillo.toml."""
    cloud, device, file = tmp_path / "cloud", tmp_path / "device", tmp_path / "shop1.json"
    assert call("cloud", cloud, "init", "--cluster", "lab", "--address", "192.0.2.1").ok
    assert call("cloud", cloud, "apply", "-f", "-", feed=f"{NODES}---{COMMUNITY}").ok
    told = call("cloud", cloud, "plan", "site", "shop1", str(file))
    assert told.ok, told.text
    lines = [line for line in told.out.splitlines() if line.startswith("plan")]
    config = parse("\n".join(lines), "orillo.toml")
    assert config.plan == file.name
    taken = call("appliance", device, "plan", "import", str(file), "--key", config.plan_key)
    assert taken.ok, taken.text
    shown = json.loads(call("appliance", device, "plan", "show", "-o", "json").out)
    assert shown["identity"]["name"] == "shop1"
    assert shown["prefixes"] == json.loads(file.read_text())["prefixes"]
    imported = load_imported(Paths(device))
    assert imported is not None
    assert list(imported.plan_keys.values()) == [config.plan_key]
    # A second one, after a change, takes the place of the first.
    assert call("cloud", cloud, "plan", "site", "shop1", str(file)).ok
    assert call("appliance", device, "plan", "import", str(file), "--key", config.plan_key).ok
