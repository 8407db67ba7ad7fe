# SPDX-License-Identifier: Apache-2.0
"""The code blocks of the documentation are commands that work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = sorted(ROOT.glob("*.md"))
#: What `console` blocks may name: verbs that CI itself runs, under their own tests.
RUN_BY_CI = {"./dev test", "./dev test tests/unit", "sudo ./dev test", "sudo ./dev demo"}


def blocks(language: str) -> list[tuple[str, str]]:
    """The fenced blocks in one language, each with the name of its document."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [(path.name, text) for path in DOCS for text in fence.findall(path.read_text())]


def test_blocks_are_of_a_kind_that_is_checked() -> None:
    found = {
        (path.name, language)
        for path in DOCS
        for language in re.findall(r"^```(\w+)$", path.read_text(), re.MULTILINE)
    }
    assert {language for _, language in found} <= {"sh", "console", "text"}


@pytest.mark.parametrize(("document", "text"), blocks("console"))
def test_console_block_names_what_ci_runs(document: str, text: str) -> None:
    commands = {
        line.removeprefix("$ ").split("#")[0].strip() for line in text.splitlines() if line.startswith("$ ")
    }
    assert commands, document
    assert commands <= RUN_BY_CI


@pytest.mark.parametrize(("document", "text"), blocks("sh"))
def test_shell_block_runs(document: str, text: str, tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in (("orillo", "appliance.cli.main"), ("orillo-cloud", "cloud.cli.main")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m {module} "$@"\n')
        script.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'PATH="{commands}:$PATH"\n{text}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{document}: {done.stderr}"


def test_dev_shell_puts_the_commands_on_the_path(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "dev"), "shell", "-c", f"cd {tmp_path} && orillo version && orillo-cloud version"],
        env={**os.environ, "SHELL": "/bin/sh"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["orillo", "orillo-cloud"], done.stderr
