# SPDX-License-Identifier: Apache-2.0
"""The programs of one distribution: what is large and seldom used is not in the daemon's, but beside it."""

import os
import sys
from pathlib import Path

from appliance.cli.errors import CliError, Exit

TERMINAL = "orillo-tui"


def go_on_in(program: str) -> None:
    """Become `program` with the same arguments, if the appliance is compiled and this is not that program.

    Returns if this process can do the work itself: then it is that program, or runs from source.
    """
    # What the compiler leaves in each module; there is nothing of the kind in a source tree.
    compiled = globals().get("__compiled__")
    if compiled is None:
        return
    here = Path("/proc/self/exe").readlink()
    if here.name == program:
        return
    wanted = here.with_name(program)
    if not wanted.exists():
        raise CliError(f"{wanted} is missing: install the package orillo anew", Exit.CANNOT_RUN)
    os.execv(wanted, [str(wanted), *sys.argv[1:]])  # noqa: S606 -- becoming another program is the point
