# SPDX-License-Identifier: Apache-2.0
"""The verbs of `orillo` and their arguments."""

import argparse
from pathlib import Path
from typing import Any

from appliance.cli import tui_arguments


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
        choices=["charon", "dns", "host", "join", "reset", "good", "bootloader"],
        help="charon (IPsec) or dns (unbound); on an image: host (name and uplinks), join (use the token), "
        "reset (as `orillo reset` asked), good (keep or undo an update), bootloader (for RAUC)",
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
