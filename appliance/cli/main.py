# SPDX-License-Identifier: Apache-2.0
"""`orillo VERB`: the arguments, and the one guard that turns what goes wrong into a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from appliance.cli.errors import CliError, Exit
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.token import TokenError
from appliance.paths import Paths
from appliance.settings import SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = _options(sys.argv[1:] if argv is None else list(argv))
    try:
        code = _run(Paths(options.root.absolute()), options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough (`orillo status | head -1`); Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.OK
    except CliError as error:
        return _complain(str(error), error.code)
    except TokenError as error:
        return _complain(str(error), Exit.USAGE)
    except (DoorError, PlanError, SettingsError) as error:
        return _complain(str(error), Exit.CANNOT_RUN)
    except ExceptionGroup as group:
        return _complain(_first_words(group), Exit.CANNOT_RUN)
    except OSError as error:
        return _complain(_os_error(error), Exit.CANNOT_RUN)
    except Exception as error:  # noqa: BLE001 -- the one guard: no traceback may reach the user
        return _complain(_internal(error), Exit.CANNOT_RUN)
    return code


def _options(words: list[str]) -> Any:
    """What was asked for. The daemon keeps what is imported here, so its line is read without a parser."""
    match words:
        case ["run"]:
            return SimpleNamespace(verb="run", root=Path("/"))
        case ["--root", root, "run"]:
            return SimpleNamespace(verb="run", root=Path(root))
    from appliance.cli.arguments import parser

    return parser().parse_args(words)


def _run(paths: Paths, options: Any) -> int:
    match options.verb:
        case "enroll":
            from appliance.cli import enroll

            asked = enroll.Asked(options.token, options.name, options.once)
            return enroll.run(paths, asked, json=options.output == "json")
        case "run":
            from appliance.cli import run

            return run.run(paths)
        case "apart":
            from appliance.cli import apart

            return apart.run()
        case "status":
            from appliance.cli import status

            return status.run(paths, json=options.output == "json")
        case "purge":
            from appliance.cli import purge

            return purge.run(paths, everything=options.all, json=options.output == "json")
        case "tui":
            from appliance.cli import beside

            beside.go_on_in(beside.TERMINAL)
            from appliance.cli import tui

            return tui.run(paths, options)
        case "plan":
            from appliance.cli import plan

            return plan.run(paths, options)
        case "daemon":
            return _daemon(paths, options.which, options.words)
        case "doctor":
            from appliance.cli import doctor

            return doctor.run(paths, json=options.output == "json")
        case "why":
            from appliance.cli import why

            return why.run(paths, options.a, options.b, options.port, json=options.output == "json")
        case "preflight":
            from appliance.cli import preflight

            return preflight.run(paths, options.token, json=options.output == "json")
        case "update":
            from appliance.cli import update

            return update.run(paths, options)
        case "reset":
            from appliance.cli import reset

            return reset.run(paths, keep_identity=options.keep_identity, restart=not options.no_restart)
        case "bugreport":
            from appliance.cli import bugreport

            return bugreport.run(paths, options.file, hash_addresses=options.hash_addresses)
    from appliance.cli import version

    return version.run(json=options.output == "json")


def _daemon(paths: Paths, which: str, words: Sequence[str]) -> int:
    match which:
        case "charon":
            from appliance.cli import daemon_charon

            return daemon_charon.run(paths)
        case "dns":
            from appliance.cli import daemon_dns

            return daemon_dns.run(paths)
        case "host":
            from appliance.cli import daemon_host

            return daemon_host.run(paths)
        case "join":
            from appliance.cli import daemon_join

            return daemon_join.run(paths)
        case "reset":
            from appliance.cli import daemon_reset

            return daemon_reset.run(paths)
        case "good":
            from appliance.cli import daemon_good

            return daemon_good.run(paths)
    from appliance.cli import daemon_bootloader

    return daemon_bootloader.run(paths, words)


def _complain(text: str, code: Exit) -> int:
    line = " ".join(text.split())
    print(f"orillo: {line}", file=sys.stderr)
    return code


def _first_words(group: ExceptionGroup[Exception]) -> str:
    """What the failed task of a daemon says; or its place, if the fault is ours."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, DoorError | PlanError) else _internal(error)


def _os_error(error: OSError) -> str:
    what = error.strerror or type(error).__name__
    remedy = ": run it with sudo" if isinstance(error, PermissionError) and os.geteuid() != 0 else ""
    return f"{error.filename}: {what}{remedy}" if error.filename else f"{what}{remedy}"


def _internal(error: Exception) -> str:
    """A fault of ours, with the place, so that a report of it is of use."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "an unknown place"
    return f"internal error, please report it: {type(error).__name__}: {error} (at {at})"


if __name__ == "__main__":
    sys.exit(main())
