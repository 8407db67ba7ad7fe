# SPDX-License-Identifier: Apache-2.0
"""unbound behind its control socket, in memory: it keeps state, and refuses what unbound refuses.

tests/contract/test_unbound.py runs one suite on this and on a real one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address
from appliance.netcore.records import Record


@dataclass
class FakeUnbound:
    """`running` is whether one listens; `reloads` counts."""

    running: bool = True
    reloads: int = 0
    _records: set[Record] = field(default_factory=set)
    _forwards: dict[str, frozenset[Address]] = field(default_factory=dict)

    async def records(self) -> frozenset[Record]:
        self._listen()
        return frozenset(self._records)

    async def add_records(self, records: Iterable[Record]) -> None:
        self._listen()
        for record in records:
            if not record.name.endswith(".") or " " in record.name:
                raise DoorError("unbound refused `local_datas`: error parsing local-data")
            self._records.add(record)

    async def remove_names(self, names: Iterable[str]) -> None:
        self._listen()
        gone = set(names)
        self._records = {record for record in self._records if record.name not in gone}

    async def forwards(self) -> Mapping[str, frozenset[Address]]:
        self._listen()
        return dict(self._forwards)

    async def put_forward(self, zone: str, addresses: Iterable[Address]) -> None:
        self._listen()
        wanted = frozenset(addresses)
        if not wanted:
            raise DoorError("unbound refused `forward_add`: error")
        self._forwards[zone] = wanted

    async def remove_forward(self, zone: str) -> None:
        self._listen()
        self._forwards.pop(zone, None)

    async def reload(self) -> None:
        self._listen()
        self._records, self._forwards = set(), {}
        self.reloads += 1

    def _listen(self) -> None:
        if not self.running:
            raise NotYetError("waiting for unbound at /run/orillo/unbound.ctl")
