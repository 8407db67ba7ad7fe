# SPDX-License-Identifier: Apache-2.0
"""The command `orillo-cloud`: finds the verb, runs it, and turns errors into one line and an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud.cli.verb import Verb
from cloud.faults import CommandError, Exit, as_command_errors
from cloud.paths import CloudPaths


def _init() -> Verb:
    from cloud.cli import init

    return init


def _serve() -> Verb:
    from cloud.cli import serve

    return serve


def _apply() -> Verb:
    from cloud.cli import apply

    return apply


def _get() -> Verb:
    from cloud.cli import get

    return get


def _delete() -> Verb:
    from cloud.cli import delete

    return delete


def _token() -> Verb:
    from cloud.cli import token

    return token


def _device() -> Verb:
    from cloud.cli import device

    return device


def _cluster() -> Verb:
    from cloud.cli import cluster

    return cluster


def _plan() -> Verb:
    from cloud.cli import plan

    return plan


def _explain() -> Verb:
    from cloud.cli import explain

    return explain


def _backup() -> Verb:
    from cloud.cli import backup

    return backup


def _restore() -> Verb:
    from cloud.cli import restore

    return restore


def _migrate() -> Verb:
    from cloud.cli import migrate

    return migrate


def _bugreport() -> Verb:
    from cloud.cli import bugreport

    return bugreport


def _version() -> Verb:
    from cloud.cli import version

    return version


#: Each verb's help, and how its module is loaded: by a plain import, which the compiler can follow.
VERBS: dict[str, tuple[str, Callable[[], Verb]]] = {
    "init": ("make the keys, the settings and the store of a new operator", _init),
    "serve": ("run the operator", _serve),
    "apply": ("keep Kubernetes manifests: all of them, or none", _apply),
    "get": ("show what was applied", _get),
    "delete": ("forget an object", _delete),
    "token": ("make and list enrolment tokens", _token),
    "device": ("list devices, and shut one out", _device),
    "cluster": ("exchange services with another cluster", _cluster),
    "plan": ("show the plan of a device, or make one to carry to it", _plan),
    "explain": ("tell whether two devices may talk, and why", _explain),
    "backup": ("keep keys, settings and store in one file", _backup),
    "restore": ("make the operator of a backup again", _restore),
    "migrate": ("make FabEdge's objects in a cluster ours", _migrate),
    "bugreport": ("show what a device's bug report says", _bugreport),
    "version": ("tell the version", _version),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    asked = _parser().parse_args(arguments)
    paths = CloudPaths(asked.root)
    verb = VERBS[asked.verb][1]()
    parser = argparse.ArgumentParser(prog=f"orillo-cloud {asked.verb}", description=VERBS[asked.verb][0])
    verb.declare(parser)
    try:
        with as_command_errors():
            code = verb.run(parser.parse_args(asked.rest), paths)
        sys.stdout.flush()
    except CommandError as error:
        return _fail(str(error), error.code)
    except PermissionError as error:
        return _fail(f"no permission for {error.filename}: run as root, or give --root DIR", Exit.CANNOT_RUN)
    except BrokenPipeError:
        # The reader has seen enough (`get nodes | head -1`); Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as error:
        return _fail(f"{error.filename or asked.verb}: {error.strerror or error}", Exit.CANNOT_RUN)
    except KeyboardInterrupt:
        return _fail("interrupted", Exit.CANNOT_RUN)
    except Exception as error:  # noqa: BLE001 -- the one guard: no traceback may reach the user
        return _fail(_internal(error), Exit.CANNOT_RUN)
    return code


def _internal(error: Exception) -> str:
    """A fault of ours: the words for a report, with its place instead of a traceback."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "an unknown place"
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"internal error, please report it: {words} (at {at})"


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, VERBS))
    parser = argparse.ArgumentParser(
        prog="orillo-cloud",
        description="The operator of an Orillo fabric.",
        epilog="verbs:\n"
        + "\n".join(f"  {name:{width}}  {text}" for name, (text, _) in VERBS.items())
        + "\n\nexit codes: 0 ok, 1 a fault was found, 2 usage, 3 cannot run, 4 degraded",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="move every path below DIR"
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="what to do, see below")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="see: orillo-cloud VERB --help")
    return parser


def _fail(message: str, code: Exit) -> int:
    print(f"orillo-cloud: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
