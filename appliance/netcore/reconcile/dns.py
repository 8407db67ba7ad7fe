# SPDX-License-Identifier: Apache-2.0
"""The name cache's tables: its configuration, its own records, and its forwards.

The configuration comes first in a pass, because a reload takes with it what came over the control socket.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from appliance.netcore.errors import NotYetError
from appliance.netcore.kernel.files import read_text, remove, write_atomic
from appliance.netcore.plan.values import Address
from appliance.netcore.records import Record, UnboundConf

#: The one key of `RecordTable`.
RECORDS = "records"


class Unbound(Protocol):
    """The door, as `dnscache.control.UnboundControl` is one."""

    async def records(self) -> frozenset[Record]: ...

    async def add_records(self, records: Iterable[Record]) -> None: ...

    async def remove_names(self, names: Iterable[str]) -> None: ...

    async def forwards(self) -> Mapping[str, frozenset[Address]]: ...

    async def put_forward(self, zone: str, addresses: Iterable[Address]) -> None: ...

    async def remove_forward(self, zone: str) -> None: ...

    async def reload(self) -> None: ...


class ConfTable:
    """unbound.conf by its path; a running unbound reads it anew when its settings change."""

    def __init__(self, unbound: Unbound, path: Path) -> None:
        self._unbound = unbound
        self._path = path
        self._unread = False

    async def observe(self) -> Mapping[Path, UnboundConf]:
        text = None if self._unread else read_text(self._path)
        return {} if text is None else {self._path: UnboundConf.parse(text)}

    async def put(self, key: Path, value: UnboundConf) -> None:
        before = read_text(key)
        write_atomic(key, value.text.encode())
        self._unread = self._unread or before is None or UnboundConf.parse(before).settings != value.settings
        if self._unread:
            await self._reload()

    async def delete(self, key: Path) -> None:
        remove(key)

    async def _reload(self) -> None:
        try:
            await self._unbound.reload()
        except NotYetError:
            # It reads the file when it starts.
            self._unread = False
            raise
        self._unread = False


class RecordTable:
    """All records as one object, because unbound takes thousands at once far faster than one by one."""

    def __init__(self, unbound: Unbound) -> None:
        self._unbound = unbound

    async def observe(self) -> Mapping[str, frozenset[Record]]:
        return {RECORDS: await self._unbound.records()}

    async def put(self, key: str, value: frozenset[Record]) -> None:
        there = await self._unbound.records()
        # Only whole names can be removed, so a name that loses a record is written anew.
        losing = {record.name for record in there - value}
        await self._unbound.remove_names(sorted(losing))
        missing = {record for record in value if record not in there or record.name in losing}
        await self._unbound.add_records(sorted(missing, key=lambda record: record.text))

    async def delete(self, key: str) -> None:
        await self.put(key, frozenset())


class ForwardTable:
    """Name servers by zone."""

    def __init__(self, unbound: Unbound) -> None:
        self._unbound = unbound

    async def observe(self) -> Mapping[str, frozenset[Address]]:
        return await self._unbound.forwards()

    async def put(self, key: str, value: frozenset[Address]) -> None:
        await self._unbound.put_forward(key, value)

    async def delete(self, key: str) -> None:
        await self._unbound.remove_forward(key)
