# SPDX-License-Identifier: Apache-2.0
"""`orillo update [FILE|URL]`: take another release, see whether it works, and go back if it does not."""

import asyncio
import fcntl
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.built import architecture
from appliance.cli import update_system
from appliance.cli.errors import CliError, Exit, need_root
from appliance.cli.text import print_json
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import run as run_program
from appliance.paths import Paths
from appliance.settings import load_settings
from appliance.update.agent import Agent
from appliance.update.archive import Release, entries, open_release
from appliance.update.disk import Disk
from appliance.update.download import Listener, discard, fetch, is_url
from appliance.update.judge import Outcome, Time, judge
from appliance.update.manifest import ReleaseError, refuse_unfit
from appliance.update.releases import Releases
from appliance.update.signature import trusted_keys

_TRY = 30.0
_TIME = Time(time.monotonic, time.sleep)


def run(paths: Paths, options: Namespace) -> int:
    """Exit 0 if the release runs, 1 if it was tried and undone, 3 if it was refused."""
    releases = Releases(paths.releases, Disk())
    json = options.output == "json"
    if options.resume:
        return _resume(paths, releases, json=json)
    if options.source is None:
        return _show(paths, releases, json=json)
    need_root("update")
    _go_by_proxy(paths)
    if options.source.endswith(update_system.SUFFIX):
        with _alone(paths):
            return update_system.run(paths, options.source, _progress(), restart=not options.no_restart)
    with _alone(paths):
        _refuse_open_trial(releases)
        agent = Agent(paths)
        worked = agent.what_works()
        name = _install(paths, releases, options)
        worked |= agent.what_works()
        _say(f"release {name} is on trial; this takes up to {_within(paths):g} s")
        releases.begin(name, worked)
        outcome = judge(releases, agent, _within(paths), _TIME)
    return _tell(outcome, json=json)


def _resume(paths: Paths, releases: Releases, *, json: bool) -> int:
    """Go on with a trial whose judge ended, or whose device was switched off."""
    need_root("update")
    with _alone(paths):
        outcome = judge(releases, Agent(paths), _within(paths), _TIME)
    return _tell(outcome, json=json) if outcome is not None else Exit.OK


def _go_by_proxy(paths: Paths) -> None:
    """The one of the settings, unless the environment names another."""
    if url := load_settings(paths.settings).proxy.url:
        for name in ("http_proxy", "https_proxy"):
            os.environ.setdefault(name, url)


def _within(paths: Paths) -> float:
    return float(load_settings(paths.settings).update.confirm_within)


def _install(paths: Paths, releases: Releases, options: Namespace) -> str:
    """The release's name; nothing of what was here before is changed. Raises `ReleaseError`."""
    keys = trusted_keys(paths.release_keys)
    running = releases.version(releases.standing().current) or __version__

    def checked(file: Path) -> Release:
        release = open_release(file, keys)
        refuse_unfit(release.manifest, running, architecture(), allow_downgrade=options.allow_downgrade)
        return release

    if not is_url(options.source):
        return _unpack(releases, checked(Path(options.source)))
    file = fetch(options.source, paths.releases / "download", Listener(_progress(), checked))
    try:
        return _unpack(releases, checked(file))
    finally:
        discard(file)


def _unpack(releases: Releases, release: Release) -> str:
    name = releases.install(release.manifest, release.document, entries(release))
    program = releases.program(name)
    try:
        said = asyncio.run(run_program(str(program), "version", timeout=_TRY)).decode(errors="replace")
    except DoorError as error:
        raise ReleaseError(f"release {name} does not even start here: {error}") from error
    if release.manifest.version not in said.split():
        raise ReleaseError(f"release {name} calls itself {said.strip()!r}: it was made wrongly")
    return name


def _refuse_open_trial(releases: Releases) -> None:
    trial = releases.standing().trial
    if trial:
        raise CliError(f"release {trial} is on trial: `orillo update --resume` sees that to its end")


def _show(paths: Paths, releases: Releases, *, json: bool) -> int:
    standing = releases.standing()
    running = Agent(paths).look().release
    facts: dict[str, Any] = {
        "running": running,
        "current": standing.current or "package",
        "trial": standing.trial,
        "releases": list(standing.releases),
        "undone": standing.undone,
    }
    if json:
        print_json(facts)
        return Exit.OK
    print(f"running:  {running or 'nothing that the launcher started'}")
    print(f"current:  {facts['current']}")
    print(f"on trial: {standing.trial or 'none'}")
    print(f"here:     {', '.join(standing.releases) or 'the package only'}")
    if standing.undone:
        print(f"undone:   {standing.undone}")
    return Exit.OK


def _tell(outcome: Outcome | None, *, json: bool) -> int:
    if outcome is None:
        raise CliError("the trial was ended by somebody else: `orillo update` shows what runs")
    if json:
        print_json({"release": outcome.release, "kept": outcome.kept, "reason": outcome.reason})
    elif outcome.kept:
        print(f"release {outcome.release} runs")
    else:
        print(f"release {outcome.release} was undone: {outcome.reason}")
    return Exit.OK if outcome.kept else Exit.FAULT


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """One at a time; the lock goes with its process, so that another one can go on after a crash."""
    try:
        paths.releases.mkdir(parents=True, exist_ok=True)
        with (paths.releases / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("another `orillo update` is at work: waiting for its end")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise DoorError(f"can't work in {paths.releases}: {error.strerror}") from error


def _progress() -> Any:
    """A line that is written over on a terminal, and one for each tenth elsewhere."""
    shown = -1

    def progress(size: int, total: int) -> None:
        nonlocal shown
        share = size * 100 // total if total else size >> 20
        step = share if sys.stderr.isatty() else share // 10 * 10
        if step == shown:
            return
        shown = step
        text = f"fetching: {share} % of {total / 1e6:.1f} MB" if total else f"fetching: {size / 1e6:.0f} MB"
        print(f"\r{text}" if sys.stderr.isatty() else text, end="", file=sys.stderr, flush=True)
        if not sys.stderr.isatty() or size == total:
            print(file=sys.stderr)

    return progress


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
