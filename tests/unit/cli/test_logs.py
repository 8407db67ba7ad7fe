# SPDX-License-Identifier: Apache-2.0
"""The daemon's log for programs, and the dashboard for what it measures."""

import json
import logging
import re
import sys
from pathlib import Path

from msgspec.structs import replace

from appliance.cli.logs import JsonLines, formatter
from appliance.settings import Log
from appliance.status.metrics import render
from appliance.status.model import Condition, Severity
from tests.unit.status.snapshots import healthy

DASHBOARD = Path(__file__).parents[3] / "packaging/grafana/orillo.json"


def test_record_is_one_line_of_json() -> None:
    record = logging.LogRecord("x.y", logging.WARNING, "f", 1, "plan: %s\nnext", ("wäre",), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "level": "warning",
        "logger": "x.y",
        "message": "plan: wäre\nnext",
    }


def test_error_is_kept_with_its_trace() -> None:
    try:
        int("of ours")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, sys.exc_info())
    assert "ValueError: invalid literal" in json.loads(JsonLines().format(record))["error"]


def test_field_names_are_a_contract() -> None:
    """README has them; programs read them."""
    try:
        int("of ours")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, sys.exc_info())
    names = list(json.loads(JsonLines().format(record)))
    assert names == ["time", "level", "logger", "message", "error"]
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in names)


def test_journal_is_told_how_grave_a_line_is() -> None:
    record = logging.LogRecord("plan", logging.WARNING, "f", 1, "refused", None, None)
    journal = formatter(Log(), {"JOURNAL_STREAM": "8:1"})
    assert journal.format(record) == "<4>WARNING plan: refused"
    assert formatter(Log(), {}).format(record) == "WARNING plan: refused"
    assert isinstance(formatter(Log(format="json"), {"JOURNAL_STREAM": "8:1"}), JsonLines)


def test_dashboard_asks_only_for_metrics_that_there_are() -> None:
    shown = replace(healthy(), conditions=(Condition("disk-full", Severity.FAULT, "x"),))
    there = set(re.findall(r"^# TYPE (\S+)", render(shown), re.MULTILINE))
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for one in panel["targets"]
        for name in re.findall(r"orillo_\w+", one["expr"])
    }
    assert asked <= there
    assert len({panel["id"] for panel in panels}) == len(panels)
