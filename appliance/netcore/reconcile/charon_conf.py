# SPDX-License-Identifier: Apache-2.0
"""charon's own settings as a table: retransmission is charon's, not a connection's."""

from collections.abc import Mapping
from pathlib import Path

from appliance.netcore.charon.door import Charon
from appliance.netcore.errors import NotYetError
from appliance.netcore.kernel.files import read_text, remove, write_atomic


class CharonConfTable:
    """strongswan.conf by its path; a running charon reads it anew when it changes.

    IKE SAs that are up keep the retransmission that they were made with; the ports that charon listens on
    change with its next start.
    """

    def __init__(self, charon: Charon, path: Path) -> None:
        self._charon = charon
        self._path = path
        self._unread = False

    async def observe(self) -> Mapping[Path, str]:
        text = None if self._unread else read_text(self._path)
        return {} if text is None else {self._path: text}

    async def put(self, key: Path, value: str) -> None:
        write_atomic(key, value.encode())
        self._unread = True
        try:
            await self._charon.reload_settings()
        except NotYetError:
            # It is written, and read, by whoever starts charon.
            self._unread = False
            raise
        self._unread = False

    async def delete(self, key: Path) -> None:
        remove(key)
