# SPDX-License-Identifier: Apache-2.0
"""What the terminal writes to disk, and what came of it. Never over a file that is there."""

import os
from pathlib import Path

from appliance.status.views import Packed
from appliance.status.words import size
from appliance.tui.feed import recording
from appliance.tui.look import Tone
from appliance.tui.state import Known
from appliance.tui.ui import Notice


def save(known: Known, path: Path) -> Notice:
    """Write the newest snapshot to a file."""
    if known.snapshot is None:
        return Notice("there is nothing to save yet", Tone.WARN)
    done = Notice("saved to {path}; look at it with `orillo tui --replay {path}`", Tone.GOOD, {"path": path})
    return _write(path, recording(known.snapshot)) or done


def write_report(packed: Packed, where: str) -> Notice:
    """Write a report to a file, or under its own name into a directory that ends with `/`."""
    path = Path(where) / Path(packed.name).name if where.endswith("/") else Path(where)
    about = {"path": path, "size": size(len(packed.data))}
    return _write(path, packed.data) or Notice("the report is in {path} ({size})", Tone.GOOD, about)


def _write(path: Path, data: bytes) -> Notice | None:
    """Why it is not written; None if it is. It is on the disk when this returns: sticks are pulled soon."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        text = "that file is there already, choose another name: {path}"
        return Notice(text, Tone.BAD, {"path": path})
    except OSError as error:
        about = {"reason": error.strerror or "?", "path": path}
        return Notice("not written, {reason}: {path}", Tone.BAD, about)
    return None
