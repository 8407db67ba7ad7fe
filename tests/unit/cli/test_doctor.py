# SPDX-License-Identifier: Apache-2.0
"""`orillo doctor` as it is seen: its progress, its verdict, and its words in two languages."""

import io
import sys
from pathlib import Path

import pytest

from appliance.checks.all import CHECKS, Progress
from appliance.checks.box import Box, Check
from appliance.cli import doctor
from appliance.cli.doctor_words import columns, render
from appliance.cli.errors import Exit
from appliance.netcore.health.engine import conclude
from appliance.netcore.health.kind import Finding
from appliance.netcore.health.words import Language
from appliance.paths import Paths

Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


def finding(*found: Finding) -> object:
    """An examination in which each check ends, and the last one finds this."""

    async def examine(_box: Box, checks: tuple[Check, ...], progress: Progress) -> list[Finding]:
        for check in checks:
            progress(check, found if check is checks[-1] else ())
        return list(found)

    return examine


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return Paths(tmp_path)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (None, Exit.OK),
        ("neighbour-firewall", Exit.OK),
        ("memory-low", Exit.DEGRADED),
        ("disk-full", Exit.FAULT),
    ],
)
def test_exit_code_is_the_gravest_severity(
    root: Paths, monkeypatch: pytest.MonkeyPatch, capsys: Capture, code: str | None, verdict: Exit
) -> None:
    monkeypatch.setattr(doctor, "examine", finding(*([Finding(code, "seen")] if code else [])))
    assert doctor.run(root, json=False) == verdict
    shown = capsys.readouterr()
    assert (code or "checks are well") in shown.out
    # Nobody looks at a terminal here, so no progress goes anywhere.
    assert shown.err == ""


def test_progress_is_one_line_that_is_gone_at_the_end(root: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(doctor, "examine", finding(Finding("disk-full", "seen")))
    doctor.run(root, json=False)
    parts = terminal.getvalue().split("\r")
    assert f"[ 1/{len(CHECKS)}]" in parts[1]
    assert f"[{len(CHECKS)}/{len(CHECKS)}] !" in parts[len(CHECKS)]
    assert "\n" not in terminal.getvalue()
    assert parts[-2].strip() == parts[-1] == ""


def test_evidence_is_told_in_the_persons_language() -> None:
    found = conclude([Finding("link-no-carrier", "no carrier on eth0", {"link": "eth0"})])
    english, chinese = ("\n".join(render(found, tongue)) for tongue in Language)
    assert "seen: no carrier on eth0" in english
    assert "eth0 没有载波" in chinese
    assert max(map(columns, chinese.splitlines())) <= 80
