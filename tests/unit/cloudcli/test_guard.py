# SPDX-License-Identifier: Apache-2.0
"""However a command ends, it ends with a line and a code, and never with a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from cloud.cli import get
from tests.unit.cloudcli.running import Run


def test_a_reader_that_has_seen_enough_is_no_fault(operator: Run, root: Path) -> None:
    assert operator("device", "list").code == 0
    command = f"{sys.executable} -m cloud.cli.main --root {root} get nodes -o json"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (["0"], "")


def test_a_fault_of_ours_is_one_line_with_its_place(operator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("oops\nagain")

    monkeypatch.setattr(get, "run", broken)
    ended = operator("get", "nodes")
    assert ended.code == 3
    (line,) = ended.err.splitlines()
    words = "orillo-cloud: internal error, please report it: ZeroDivisionError: oops again (at "
    assert line.startswith(words)
    assert "test_guard.py:" in line
