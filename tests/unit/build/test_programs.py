# SPDX-License-Identifier: Apache-2.0
"""What the build says of itself: what goes in, what must not, and what is cut."""

import subprocess
import sys
from pathlib import Path

import pytest

from orillo_build.compiler import command
from orillo_build.inclusions import Module, forbidden, read_report
from orillo_build.programs import DAEMON, PROGRAMS, TERMINAL, Program, is_of_others
from orillo_build.trims import TRIMS, Trim, trimmed

ROOT = Path(__file__).parents[3]
VERBS = (
    "main",
    "doctor",
    "enroll",
    "run",
    "status",
    "purge",
    "daemon_charon",
    "daemon_dns",
    "update",
    "version",
)

REPORT = """<?xml version='1.0' encoding='utf8'?>
<nuitka-compilation-report>
  <module name="appliance" kind="CompiledPythonPackage"><module_usages>
    <module_usage name="rich.console" finding="absolute"/></module_usages></module>
  <module name="rich.console" kind="UncompiledPythonModule"><module_usages/></module>
  <module name="richer" kind="PythonExtensionModule"><module_usages/></module>
</nuitka-compilation-report>
"""


def loaded(program: Program, *modules: str) -> set[str]:
    """What is loaded after these were imported as the program has them."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("as_built.py")), program.name, *modules],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'packaging'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_daemon_runs_without_what_is_forbidden_in_it() -> None:
    modules = loaded(DAEMON, *(f"appliance.cli.{verb}" for verb in VERBS))
    assert "appliance.run" in modules
    assert not {name for name in modules if DAEMON.forbids(name)}


def test_daemon_starts_without_what_only_a_command_needs() -> None:
    modules = loaded(DAEMON, "appliance.cli.run")
    assert "h11" in modules
    # `as_built` itself, and the interpreter's own start from source, bring some in.
    mine = {name.partition(".")[0] for name in modules - loaded(DAEMON)}
    heavy = {"cryptography", "httpx", "anyio", "email", "shutil", "tempfile"}
    assert not (heavy | {"argparse", "calendar", "locale", "typing_extensions"}) & mine


def test_an_enrolment_has_what_its_library_imports_only_if_it_can() -> None:
    """httpcore goes on without anyio until it is used, and anyio finds its event loop by a string."""
    modules = loaded(DAEMON, "httpcore", "anyio._backends._asyncio")
    assert {"httpcore", "anyio", "anyio._backends._asyncio"} <= modules


def test_terminal_runs_without_what_is_forbidden_in_it() -> None:
    modules = loaded(
        TERMINAL,
        *("appliance.cli.main", "appliance.cli.tui", "appliance.tui.app"),
        *("appliance.cli.daemon_host", "yaml"),
    )
    assert "textual.app" in modules
    assert not {name for name in modules if TERMINAL.forbids(name)}


def test_forbidden_is_by_package_not_by_letters() -> None:
    program = Program("p", forbidden=("rich",))
    assert program.forbids("rich")
    assert program.forbids("rich.console")
    assert not program.forbids("richer")


def test_report_tells_what_is_forbidden_and_for_whom(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    modules = read_report(report)
    assert Module("richer", "extension", ()) in modules
    assert forbidden(Program("p", forbidden=("rich",)), modules) == (
        Module("rich.console", "bytecode", ("appliance",)),
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program_has_its_entry_and_forbids_development(program: Program, tmp_path: Path) -> None:
    assert program.entry.is_file()
    assert all(program.forbids(name) for name in ("tests", "pip", "setuptools", "tkinter", "pytest"))
    line = command(program, tmp_path, tmp_path / "report.xml", 1)
    assert line[-1] == str(program.entry)


def test_own_packages_become_c_and_others_stay_bytecode() -> None:
    assert is_of_others("h11._util")
    assert not is_of_others("appliance.run")
    assert not is_of_others("h11-preLoad")


def test_trim_of_a_text_that_is_gone_fails() -> None:
    trim = Trim("m", "import this\n", "", "never used")
    assert trim.apply("import this\nx = 1\n") == "x = 1\n"
    with pytest.raises(LookupError, match="m: 'import this"):
        trim.apply("x = 1\n")


def test_module_without_trim_stays() -> None:
    assert trimmed("appliance.run", "x = 1") == "x = 1"
    assert all(trim.why for trim in TRIMS)
