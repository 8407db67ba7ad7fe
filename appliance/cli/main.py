# SPDX-License-Identifier: Apache-2.0
"""`orillo VERB`: the arguments, and the one guard that turns what goes wrong into a line and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.cli import tui_arguments
from appliance.cli.errors import CliError, Exit
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.token import TokenError
from appliance.paths import Paths
from appliance.settings import SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = parser().parse_args(argv)
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


def _run(paths: Paths, options: argparse.Namespace) -> int:
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
        case "good":
            from appliance.cli import daemon_good

            return daemon_good.run(paths)
    from appliance.cli import daemon_bootloader

    return daemon_bootloader.run(paths, words)


def parser() -> argparse.ArgumentParser:
    """All verbs with their arguments: the one description, from which manual and completions are made too."""
    whole = argparse.ArgumentParser(
        prog="orillo",
        description="The network of this site: tunnels, routes, firewall, services and names, by the plan.",
        epilog="exit codes: 0 ok, 1 a fault was found, 2 usage, 3 cannot run, 4 degraded",
    )
    whole.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="move every path below DIR"
    )
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("-o", dest="output", choices=["json"], help="print JSON")
    enroll = verbs.add_parser("enroll", parents=[output], help="make this device a member, with a token")
    enroll.add_argument("token", metavar="TOKEN", help="the token, - for standard input, or @FILE")
    enroll.add_argument("--name", default="", help="whom to enrol as; only a token for several asks for it")
    enroll.add_argument("--once", action="store_true", help="a device that is a member already stays so")
    # For the daemon alone, and so without a line of help.
    verbs.add_parser("apart")
    verbs.add_parser("run", parents=[output], help="run the site's network until stopped")
    verbs.add_parser("status", parents=[output], help="say how the device stands")
    purge = verbs.add_parser("purge", parents=[output], help="take back all that was done to this host")
    purge.add_argument("--all", action="store_true", help="the identity and the plans too")
    _plan(verbs.add_parser("plan", help="the plan in force, or one that is carried here"), output)
    daemon = verbs.add_parser("daemon", parents=[output], help="become one of the daemons beside the agent")
    daemon.add_argument(
        "which",
        choices=["charon", "dns", "host", "join", "good", "bootloader"],
        help="charon (IPsec) or dns (unbound); on an image: host (name and uplinks), join (use the token), "
        "good (keep or undo an update), bootloader (for RAUC)",
    )
    daemon.add_argument("words", nargs="*", metavar="ARGUMENT", help="what RAUC asks of bootloader")
    tui_arguments.add(verbs.add_parser("tui", help="the terminal for who stands in front of it"))
    _diagnosis(verbs, output)
    _update(
        verbs.add_parser("update", parents=[output], help="take another release, and go back if it fails")
    )
    reset = verbs.add_parser("reset", help="on an image: forget everything at the next start")
    reset.add_argument(
        "--keep-identity", action="store_true", help="but who this device is, and its settings"
    )
    reset.add_argument("--no-restart", action="store_true", help="whenever that start comes")
    verbs.add_parser("version", parents=[output], help="say which version this is")
    return whole


def _diagnosis(verbs: Any, output: argparse.ArgumentParser) -> None:
    verbs.add_parser("doctor", parents=[output], help="find out what is wrong, and say what to do")
    why = verbs.add_parser("why", parents=[output], help="walk the path between two ends, hop by hop")
    why.add_argument("a", metavar="A", help="a device, an address, a service, or `self`")
    why.add_argument("b", metavar="B", help="another")
    why.add_argument("port", metavar="PORT", type=int, nargs="?", help="a TCP port of B")
    preflight = verbs.add_parser("preflight", parents=[output], help="see whether this box is ready to enrol")
    preflight.add_argument("token", metavar="TOKEN", nargs="?", help="a token, to try the way to its cluster")
    report = verbs.add_parser("bugreport", help="pack what support needs, without secrets")
    report.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", help="default: orillo-bugreport-TIME.tar.gz"
    )
    report.add_argument("--hash-addresses", action="store_true", help="no address can be read from it")


def _plan(plan: argparse.ArgumentParser, output: argparse.ArgumentParser) -> None:
    actions = plan.add_subparsers(dest="action", required=True, metavar="ACTION")
    taken = actions.add_parser("import", help="before enrolment: take a signed site plan from a file")
    taken.add_argument(
        "file", metavar="FILE", type=Path, help="what `orillo-cloud plan show NAME -o json` prints"
    )
    taken.add_argument("--key", required=True, help="the public plan key that signed it, in base64")
    actions.add_parser("show", parents=[output], help="the plan in force, from disk")


def _update(update: argparse.ArgumentParser) -> None:
    update.description = (
        "Take a signed release, put it beside the one that runs, and try it: it is kept if all that worked "
        "before works under it, and undone if not. Without FILE or URL: say which releases are here."
    )
    update.epilog = (
        "exit codes: 0 it runs, 1 it was tried and undone, 3 it was refused and nothing is changed"
    )
    update.add_argument("source", metavar="FILE|URL", nargs="?", help="a release, or where to fetch it")
    update.add_argument(
        "--allow-downgrade", action="store_true", help="an older release than the one that runs"
    )
    update.add_argument("--resume", action="store_true", help="go on with the trial that is open, if one is")
    update.add_argument(
        "--no-restart", action="store_true", help="of a whole system (.raucb): try it at the next restart"
    )


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
