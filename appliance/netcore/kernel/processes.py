# SPDX-License-Identifier: Apache-2.0
"""The only door to processes: run a program to its end, from a list of arguments, never through a shell.

And end one that somebody else started.
"""

import asyncio
import os
import select
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import PurePath

from appliance.netcore.errors import DoorError

#: Which Debian package brings a program, for the remedy when it is missing.
_PACKAGES = {
    "charon": "strongswan-charon",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nft": "nftables",
    "ping": "iputils-ping",
    "pki": "strongswan-pki",
    "swanctl": "strongswan-swanctl",
    "tcpdump": "tcpdump",
    "unbound": "unbound",
    "unbound-checkconf": "unbound",
    "unbound-control": "unbound",
}


async def run(*argv: str, input: bytes = b"", timeout: float = 10.0) -> bytes:  # noqa: A002 -- as subprocess.run
    """Run a program and return its standard output.

    `timeout` is in seconds; a program that outlasts it is killed. Raises `DoorError` naming the program, its
    exit status and its last line of complaint, or the package to install if there is no such program.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE if input else DEVNULL, stdout=PIPE, stderr=PIPE
        )
    except FileNotFoundError as error:
        raise DoorError(missing(argv[0])) from error
    except OSError as error:
        raise DoorError(f"{argv[0]} can't be started: {error.strerror}") from error
    out, err = await _finish(process, argv[0], input, timeout)
    if process.returncode:
        raise DoorError(f"{_words(argv)} ended with {_status(process.returncode)}: {_last_line(err)}")
    return out


def end(pid: int, patience: float = 10.0) -> None:
    """End a process, with force if it does not end by itself within so many seconds.

    One that is gone already is ended. Blocking. Raises `DoorError` if even force fails.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError as error:
        raise DoorError(f"process {pid} can't be ended: {error.strerror}") from error
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            # A pidfd becomes readable when its process ends (pidfd_open(2)).
            if select.select([handle], [], [], patience)[0]:
                return
    finally:
        os.close(handle)
    raise DoorError(
        f"process {pid} does not end, not even by SIGKILL: /proc/{pid}/stack says what it waits for"
    )


def call(*argv: str, input: bytes = b"", timeout: float = 30.0) -> bytes:  # noqa: A002 -- as subprocess.run
    """As `run`, for those who can't wait: nothing else happens in this process meanwhile."""
    try:
        done = subprocess.run(argv, input=input, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise DoorError(f"{argv[0]} did not end within {timeout:g} s and was killed") from error
    except OSError as error:
        raise DoorError(f"{argv[0]} can't be started: {error.strerror}") from error
    if done.returncode:
        raise DoorError(f"{_words(argv)} ended with {_status(done.returncode)}: {_last_line(done.stderr)}")
    return done.stdout


def which(program: str) -> str | None:
    """Where `program` is found, as a shell would; `shutil` has the same and much more to keep in memory."""
    for directory in os.get_exec_path():
        path = f"{directory}/{program}"
        if os.access(path, os.X_OK):
            return path
    return None


def missing(program: str) -> str:
    """The sentence for a program that is not installed, with its remedy."""
    package = _PACKAGES.get(PurePath(program).name)
    remedy = f"install it with `apt-get install {package}`" if package else "install it"
    return f"{program} is not installed: {remedy}"


async def _finish(process: Process, program: str, data: bytes, timeout: float) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(timeout):
            return await process.communicate(data or None)
    except TimeoutError as error:
        raise DoorError(f"{program} did not end within {timeout:g} s and was killed") from error
    finally:
        # Reached with the process alive on a time-out and on cancellation; it must not outlive either.
        if process.returncode is None:
            process.kill()
            await process.wait()


def _words(argv: tuple[str, ...]) -> str:
    """The program and its first arguments; no more, since a later argument may be long or a secret."""
    return " ".join(argv[:3])


def _status(code: int) -> str:
    return f"status {code}" if code > 0 else f"signal {-code}"


def _last_line(err: bytes) -> str:
    lines = err.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "no message"
