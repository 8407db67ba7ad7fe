# SPDX-License-Identifier: Apache-2.0
"""Kernel settings below /proc/sys. A key is the path there, as `net/ipv4/ip_forward`."""

from collections.abc import Iterable
from pathlib import Path

from appliance.netcore.errors import DoorError

#: 1 takes router advertisements while not forwarding, 2 always (ip-sysctl, accept_ra).
_TAKES_RA = frozenset({"1", "2"})


class SysctlDoor:
    """Reads and writes settings below `root`: another directory in tests, and in a container."""

    def __init__(self, root: Path = Path("/proc/sys")) -> None:
        self._root = root

    def read(self, key: str) -> str | None:
        """The setting, or None if there is none of that name (its link is gone). Raises `DoorError`."""
        try:
            return (self._root / key).read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DoorError(f"can't read sysctl {key}: {error.strerror}") from error

    def write(self, key: str, value: str) -> None:
        """Change the setting. Raises `DoorError`."""
        try:
            # Not `write_text`: what does not exist must not be created.
            with (self._root / key).open("r+") as file:
                file.write(value)
        except OSError as error:
            raise DoorError(f"can't set sysctl {key} to {value}: {error.strerror}") from error

    def advertised(self, links: Iterable[str]) -> tuple[str, ...]:
        """Those of `links` that take IPv6 router advertisements. Raises `DoorError`."""
        return tuple(link for link in links if self.read(f"net/ipv6/conf/{link}/accept_ra") in _TAKES_RA)
