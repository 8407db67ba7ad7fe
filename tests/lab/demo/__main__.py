# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.lab.demo`: build everything, check everything, remove everything.

Exit status: 0 all checks hold, 1 one does not, 2 usage, 3 the demo can't run here.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.kube.server import assets
from tests.lab.command import LabError, inside
from tests.lab.demo.build import build
from tests.lab.demo.check import Check, CheckFailedError
from tests.lab.demo.checks import CHECKS, KUBERNETES_CHECKS
from tests.lab.demo.report import Outcome, as_json, table
from tests.lab.demo.topology import CACHE, SERVICE_NAME
from tests.lab.demo.world import World
from tests.lab.namespaces import Namespaces, read_record, remove_left_over
from tests.lab.product import Installation, Product
from tests.lab.wait import TimedOutError

_WORKDIR = "orillo-demo-"
_LAST = "purge"
_PROGRAMS = (
    "ip",
    "nft",
    "tcpdump",
    "ping",
    "dig",
    "unbound",
    "conntrack",
    "swanctl",
    "openssl",
    "sysctl",
    "ss",
)
_FILES = (Path("/usr/lib/cni/bridge"), Path("/usr/lib/ipsec/charon"), Path("/dev/net/tun"))
#: What says that the product did not do as it should. The last three come of an answer in another shape.
_FAILURES = (CheckFailedError, TimedOutError, LabError, LookupError, ValueError, OSError)


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    json: bool
    only: tuple[str, ...]
    keep: bool
    clean: Path | None
    product: Product
    kubernetes: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """The whole demo; returns the exit status."""
    options = _read_options(argv)
    missing = _missing()
    if missing:
        say(f"the demo can't run here: {missing}")
        return 3
    if options.clean is not None:
        return _clean(options.clean)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        return _run(options)
    except KeyboardInterrupt:
        say("interrupted; everything that was made is removed")
        return 3


def _run(options: Options) -> int:
    started = time.monotonic()
    with _ground(options) as namespaces:
        checks = KUBERNETES_CHECKS if options.kubernetes else CHECKS
        chosen = [check for check in checks if not options.only or check.id in options.only]
        outcomes = _demonstrate(namespaces, options, chosen)
    skipped = (_LAST,) if options.keep else ()
    seconds = time.monotonic() - started
    print(table(outcomes, skipped))
    good = all(outcome.ok for outcome in outcomes)
    print(f"{'all hold' if good else 'NOT all hold'}, {seconds:.0f} s")
    if options.json:
        print(as_json(outcomes, seconds), flush=True)
    return 0 if good else 1


def _demonstrate(namespaces: Namespaces, options: Options, chosen: Sequence[Check]) -> list[Outcome]:
    try:
        world = build(namespaces, options.product, say, options.kubernetes)
    except _FAILURES as error:
        say(f"the lab did not come up: {error}")
        return [
            Outcome(check.id, False, f"not run: the lab did not come up: {error}", 0.0) for check in chosen
        ]
    return [_outcome(check, world, skip=options.keep and check.id == _LAST) for check in chosen]


def _outcome(check: Check, world: World, skip: bool) -> Outcome:
    if skip:
        return Outcome(check.id, True, "skipped: --keep leaves all up", 0.0)
    started = time.monotonic()
    try:
        detail, ok = check.run(world), True
    except _FAILURES as error:
        detail, ok = "; ".join(part for part in (_reason(error), world.ended()) if part), False
    outcome = Outcome(check.id, ok, detail, time.monotonic() - started)
    say(f"{check.id}: {'ok' if ok else f'FAILED: {detail}'} ({outcome.seconds:.1f} s)")
    return outcome


def _reason(error: Exception) -> str:
    if isinstance(error, CheckFailedError | TimedOutError):
        return str(error)
    return f"{type(error).__name__}: {error}"


@contextmanager
def _ground(options: Options) -> Iterator[Namespaces]:
    """Empty ground to build on, which is cleared at the end whatever happens."""
    workdir = Path(tempfile.mkdtemp(prefix=_WORKDIR))
    namespaces = Namespaces(workdir)
    finished = False
    try:
        yield namespaces
        finished = True
    finally:
        if options.keep and finished:
            _say_how_to_look_around(namespaces, options.product)
        else:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            namespaces.remove()
            shutil.rmtree(workdir)


def _say_how_to_look_around(namespaces: Namespaces, product: Product) -> None:
    say(f"""everything is left up, below {namespaces.workdir}; logs are in HOST/logs.
Look around, from this directory, with
  ip netns list
  {_words(namespaces, product.appliance, "shop1", "status")}
  {_words(namespaces, product.cloud, "operator", "device list")}
  ip netns exec {namespaces.name("pod-shop1")} dig @{CACHE} {SERVICE_NAME} +short
  swanctl --list-sas --uri unix://{namespaces.workdir}/shop1/run/orillo/charon.vici
and remove all of it with
  ./dev demo --clean {namespaces.workdir}""")


def _words(namespaces: Namespaces, program: tuple[str, ...], host: str, verb: str) -> str:
    """A verb on a host of the lab, as one would type it."""
    installation = Installation(program, namespaces.workdir / host, namespaces.name(host))
    return " ".join(inside(installation.ns, installation.command(verb)))


def _clean(kept: Path) -> int:
    """Remove one demo by its directory; or, given the directory of all of them, those of this checkout."""
    everywhere = Path(tempfile.gettempdir())
    if kept == everywhere:
        removed = remove_left_over(everywhere, f"{_WORKDIR}*")
    else:
        record = read_record(kept)
        if record is None:
            say(f"{kept} is no demo's directory: --keep said which it is")
            return 2
        removed = remove_left_over(kept.parent, kept.name, record.checkout)
    say("\n".join(f"removed {path}" for path in removed) or "nothing to remove")
    return 0


def _missing() -> str:
    """What the demo needs and does not find, with what to do; empty if it can run."""
    if os.geteuid() != 0:
        return "it makes network namespaces and needs root: sudo ./dev demo"
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    lacking += [str(file) for file in _FILES if not file.exists()]
    return f"{', '.join(lacking)} not found; ./dev demo installs what it can" if lacking else ""


def _read_options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="./dev demo", description="A cloud and three sites, checked.")
    parser.add_argument("--json", action="store_true", help="print the outcome as the last line, in JSON")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        choices=sorted({check.id for check in (*CHECKS, *KUBERNETES_CHECKS)}),
        help="run this check (repeatable): %(choices)s",
    )
    parser.add_argument("--keep", action="store_true", help="leave all up, and say how to look around")
    parser.add_argument(
        "--clean",
        type=Path,
        nargs="?",
        metavar="DIR",
        const=Path(tempfile.gettempdir()),
        help="remove what --keep or a killed run left: that below DIR, or all of this checkout",
    )
    parser.add_argument(
        "--kubernetes", action="store_true", help="inventory from a real API server, made by ./dev kube"
    )
    parser.add_argument("--binary", type=Path, help="a compiled orillo, instead of the source tree's")
    parser.add_argument("--cloud-binary", type=Path, help="the same for orillo-cloud")
    words = parser.parse_args(argv)
    source = Product()
    product = Product(
        appliance=(str(words.binary.absolute()),) if words.binary else source.appliance,
        cloud=(str(words.cloud_binary.absolute()),) if words.cloud_binary else source.cloud,
    )
    kubernetes = assets() if words.kubernetes else None
    if words.kubernetes and kubernetes is None:
        parser.error(
            "--kubernetes needs kube-apiserver, etcd and kubectl in KUBEBUILDER_ASSETS: run ./dev kube"
        )
    return Options(words.json, tuple(words.only), words.keep, words.clean, product, kubernetes)


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(f"signal {number}")


def say(text: str) -> None:
    """A line of progress, beside the output proper."""
    print(f"demo: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
