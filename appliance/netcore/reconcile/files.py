# SPDX-License-Identifier: Apache-2.0
"""The table of files that we write for other programs."""

from collections.abc import Collection, Mapping
from pathlib import Path

from appliance.netcore.kernel.files import mode_of, read, remove, write_atomic
from appliance.netcore.spec import File


class FileTable:
    """Files by path. `owned` are the paths that are ours, wanted now or not; no other is ever touched."""

    def __init__(self, owned: Collection[Path]) -> None:
        self._owned = owned

    async def observe(self) -> Mapping[Path, File]:
        found = {path: (read(path), mode_of(path)) for path in self._owned}
        return {path: File(data, mode or 0) for path, (data, mode) in found.items() if data is not None}

    async def put(self, key: Path, value: File) -> None:
        # A pass puts only what differs, so a file that is right wakes no runtime that watches it.
        write_atomic(key, value.data, value.mode)

    async def delete(self, key: Path) -> None:
        if key in self._owned:
            remove(key)

    async def purge(self) -> list[str]:
        """Remove the files of ours; which ones were there. Raises `DoorError`."""
        return [f"file {path}" for path in self._owned if remove(path)]
