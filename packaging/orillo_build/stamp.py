# SPDX-License-Identifier: Apache-2.0
"""What a program says it was made of: the commit and its time, put into `appliance/built.py` in a build."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

MODULE = "appliance.built"
#: What programs are made of; a commit that touches none of this changes nothing in them.
MADE_OF = ("appliance", "cloud", "packaging/orillo_build", "pyproject.toml", "requirements.lock")
_COMMIT, _EPOCH = "ORILLO_COMMIT", "SOURCE_DATE_EPOCH"


def settle(source: Path) -> None:
    """Put commit and time into this process's environment, for all that it starts; set ones stay."""
    os.environ.setdefault(_COMMIT, _commit(source))
    os.environ.setdefault(_EPOCH, str(_time(source)))


def commit() -> str:
    """The commit; with `-changed` behind it if the tree is not as it was committed; empty if nobody knows."""
    return os.environ.get(_COMMIT, "")


def epoch() -> int:
    """The time of everything that is made, in seconds since 1970 (reproducible-builds.org)."""
    return int(os.environ.get(_EPOCH) or 0)


def stamped(source: str) -> str:
    """The source of `appliance/built.py` with both in it. Raises `LookupError` if it has no place for it."""
    moment = f"{datetime.fromtimestamp(epoch(), UTC):%Y-%m-%dT%H:%M:%SZ}"
    for name, value in (("COMMIT", commit()), ("TIME", moment)):
        source, count = re.subn(rf'^{name} = ".*"$', f'{name} = "{value}"', source, flags=re.MULTILINE)
        if count != 1:
            raise LookupError(f"{MODULE}: {name} is there {count} times, not once")
    return source


def _commit(source: Path) -> str:
    found = _git(source, "log", "-1", "--format=%H", "--", *MADE_OF)
    if found and _git(source, "status", "--porcelain", "--untracked-files=no", "--", *MADE_OF):
        return f"{found}-changed"
    return found


def _time(source: Path) -> int:
    found = _git(source, "log", "-1", "--format=%ct", "--", *MADE_OF)
    return int(found) if found else 0


def _git(source: Path, *words: str) -> str:
    # A tree that somebody else owns is looked at all the same: nothing in it is run.
    command = ("git", "-c", "safe.directory=*", "-C", str(source), *words)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
