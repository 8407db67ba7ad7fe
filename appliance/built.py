# SPDX-License-Identifier: Apache-2.0
"""What this program is and was made of. `COMMIT` and `TIME` are filled in by who builds or packs it."""

import os
import sys
from typing import Any

from appliance import __version__

#: The commit of the source, and its time (RFC 3339); empty where it runs from a source tree.
COMMIT = ""
TIME = ""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's, as Debian calls it."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def about() -> dict[str, Any]:
    """As `version -o json` says it: fields are added, never changed."""
    return {
        "version": __version__,
        "commit": COMMIT,
        "built": TIME,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "architecture": architecture(),
        # What the compiler leaves in each module; there is nothing of the kind in a source tree.
        "compiled": "__compiled__" in globals(),
    }


def in_words(program: str) -> str:
    """As `version` says it on one line."""
    made = f" ({COMMIT[:12]}, {TIME[:10]})" if COMMIT else ""
    return f"{program} {__version__}{made}"
