# SPDX-License-Identifier: Apache-2.0
"""What a program says of itself: its commit and time, put in by the build."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orillo_build import stamp

ROOT = Path(__file__).parents[3]
FIELDS = {"version", "commit", "built", "python", "architecture", "compiled"}


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORILLO_COMMIT", "0123456789abcdef")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def test_stamped_module_knows_its_commit_and_time() -> None:
    source = (ROOT / "appliance/built.py").read_text()
    found: dict[str, object] = {"__name__": "built"}
    exec(compile(stamp.stamped(source), "built.py", "exec"), found)  # noqa: S102 -- of our own tree
    assert (found["COMMIT"], found["TIME"]) == ("0123456789abcdef", "2023-11-14T22:13:20Z")


def test_module_without_a_place_for_it_fails() -> None:
    with pytest.raises(LookupError, match="COMMIT is there 0 times"):
        stamp.stamped("x = 1\n")


def test_what_is_set_by_who_builds_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stamp.settle(tmp_path)
    assert (stamp.commit(), stamp.epoch()) == ("0123456789abcdef", 1_700_000_000)
    monkeypatch.delenv("ORILLO_COMMIT")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    stamp.settle(tmp_path)
    # No repository there: nobody knows.
    assert (stamp.commit(), stamp.epoch()) == ("", 0)


@pytest.mark.parametrize(("program", "more"), [("appliance", set()), ("cloud", {"plan_schema"})])
def test_version_for_programs_has_these_fields(program: str, more: set[str]) -> None:
    call = [sys.executable, "-m", f"{program}.cli.main", "version", "-o", "json"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == FIELDS | more
