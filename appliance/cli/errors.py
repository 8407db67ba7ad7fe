# SPDX-License-Identifier: Apache-2.0
"""Exit codes, and the error that carries one."""

import os
from enum import IntEnum


class Exit(IntEnum):
    """What a command's end means, the same for every verb."""

    OK = 0
    FAULT = 1
    USAGE = 2
    CANNOT_RUN = 3
    DEGRADED = 4


class CliError(Exception):
    """Ends a command with one line, which says what to do, and an exit code."""

    def __init__(self, text: str, code: Exit = Exit.CANNOT_RUN) -> None:
        super().__init__(text)
        self.code = code


def need_root(verb: str) -> None:
    """Raise `CliError` for anybody else."""
    if os.geteuid() != 0:
        raise CliError(f"`orillo {verb}` needs root: run it with sudo")
