# SPDX-License-Identifier: Apache-2.0
"""Run a program to its end, in this host or in a namespace of the lab. Daemons are in `process.py`."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


class LabError(Exception):
    """The lab itself failed: a program that it needs refused or is missing. No fault of the product."""


@dataclass(frozen=True)
class Result:
    """What a program left behind."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def text(self) -> str:
        """Everything that it said, errors last."""
        return "\n".join(part for part in (self.out.strip(), self.err.strip()) if part)


def inside(namespace: str | None, argv: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `argv` in a namespace, with that namespace's own /etc/resolv.conf."""
    return tuple(argv) if namespace is None else ("ip", "netns", "exec", namespace, *argv)


def attempt(
    *argv: str,
    ns: str | None = None,
    feed: str | None = None,
    timeout: float = 20.0,
    env: dict[str, str] | None = None,
) -> Result:
    """Run a program whose failure is an answer; a time-out (in seconds) counts as status 124."""
    command = inside(ns, argv)
    try:
        done = subprocess.run(
            command,
            input=feed,
            stdin=subprocess.DEVNULL if feed is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed; ./dev demo installs what the lab needs") from error
    except subprocess.TimeoutExpired:
        return Result(command, 124, "", f"no end within {timeout:g} s")
    return Result(command, done.returncode, done.stdout, done.stderr)


def run(
    *argv: str,
    ns: str | None = None,
    feed: str | None = None,
    timeout: float = 20.0,
    env: dict[str, str] | None = None,
) -> str:
    """Run a program that has to succeed and return its output; raises `LabError` with its complaint."""
    result = attempt(*argv, ns=ns, feed=feed, timeout=timeout, env=env)
    if not result.ok:
        raise LabError(f"`{' '.join(result.argv)}` ended with {result.code}: {result.text}")
    return result.out
