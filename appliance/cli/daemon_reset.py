# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon reset`: on an image of ours, what `orillo reset` asked for, before anything uses /var."""

import asyncio
import os
import shutil
from pathlib import Path

from appliance.cli.errors import CliError, Exit, need_root
from appliance.netcore.kernel.files import read_text, remove
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths

#: Asks for a reset at the next boot, by what is in it.
RESET = "reset"
EVERYTHING, KEEP_IDENTITY = "everything", "keep-identity"
_FACTORY = Path("usr/share/factory/var")


def run(paths: Paths) -> int:
    """Put the data partition back to how it was flashed, if that is asked for. 3: not all of it yet."""
    need_root("daemon reset")
    kind = (read_text(paths.host_state / RESET) or "").strip()
    factory = paths.root / _FACTORY
    if not kind or not factory.is_dir():
        return Exit.OK
    # What asks for it goes last: after a power cut the next boot goes on.
    keep = {paths.state, paths.host_state} if kind == KEEP_IDENTITY else {paths.host_state / RESET}
    try:
        for path in (paths.root / "var").iterdir():
            _drop(path, keep)
    except OSError as error:
        raise CliError(f"the reset is not done: {error}; it goes on at the next start") from error
    asyncio.run(call("cp", "-a", f"{factory}/.", str(paths.root / "var"), timeout=300.0))
    os.sync()
    remove(paths.host_state / RESET)
    print(f"factory reset ({kind}) done")
    return Exit.OK


def _drop(path: Path, keep: set[Path]) -> None:
    """Remove what is there but for what is kept. Raises `OSError`."""
    if path in keep:
        return
    if any(path in kept.parents for kept in keep):
        for below in path.iterdir():
            _drop(below, keep)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
