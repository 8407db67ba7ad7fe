# SPDX-License-Identifier: Apache-2.0
"""The table of kernel settings.

Ours are those that we remember the former value of. The memory is on disk before the first change, so that
`orillo purge` can put all back, also after a crash or a reboot.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.kernel.files import read, remove, write_atomic


class Sysctls(Protocol):
    """What this table needs of the kernel; see `kernel.sysctl`."""

    def read(self, key: str) -> str | None: ...

    def write(self, key: str, value: str) -> None: ...


class SysctlTable:
    """Settings by their path below /proc/sys. `memory` is the file that holds the former values."""

    def __init__(self, door: Sysctls, memory: Path) -> None:
        self._door = door
        self._memory = memory

    async def observe(self) -> Mapping[str, str]:
        # A remembered setting whose link is gone reads as empty, so that it is either put or forgotten.
        return {key: self._door.read(key) or "" for key in self._before()}

    async def put(self, key: str, value: str) -> None:
        current = self._door.read(key)
        if current is None:
            raise _absent(key)
        before = self._before()
        if key not in before:
            self._remember(before | {key: current})
        if current != value:
            self._door.write(key, value)

    async def delete(self, key: str) -> None:
        before = self._before()
        if key in before:
            self._restore(key, before.pop(key))
            self._remember(before)

    def _restore(self, key: str, value: str) -> bool:
        if self._door.read(key) in (None, value):
            return False
        self._door.write(key, value)
        return True

    def _before(self) -> dict[str, str]:
        data = read(self._memory)
        if data is None:
            return {}
        try:
            return dict(json.loads(data))
        except ValueError as error:
            raise DoorError(f"{self._memory} is damaged: remove it, and reboot for fresh sysctls") from error

    def _remember(self, before: Mapping[str, str]) -> None:
        write_atomic(self._memory, json.dumps(before, indent=2, sort_keys=True).encode() + b"\n")

    async def purge(self) -> list[str]:
        """Put every setting back as it was before us; which ones had changed. Raises `DoorError`."""
        restored = [key for key, value in self._before().items() if self._restore(key, value)]
        remove(self._memory)
        return [f"sysctl {key} restored" for key in sorted(restored)]


def _absent(key: str) -> DoorError:
    *_, link, _ = key.split("/")
    if "/conf/" in key and link not in ("all", "default"):
        return NotYetError(f"waiting for link {link}")
    return DoorError(f"there is no sysctl {key} on this kernel")
