# SPDX-License-Identifier: Apache-2.0
"""Which plans replicas agreed on, and which the leader would have them agree on: no I/O.

A plan is told to a device only if the ledger has its head. So whatever a leader works out that is none any
more, nobody is ever told of it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.planner.allocation import Allocation
from cloud.replicas.books import Head

#: How many of a device's earlier plans are remembered: one that has such a plan is surely behind.
_PAST = 8


@dataclass(frozen=True)
class Batch:
    """What a leader of this epoch wants written: what devices were given, and what they are to be told."""

    epoch: int
    allotted: Mapping[str, Allocation]
    heads: Mapping[str, Head]


@dataclass
class Shared:
    """What all replicas know, and while we lead (`epoch` is not 0), what we want them to know."""

    epoch: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    #: Numbers that devices say they have, from which the next plans go on.
    floors: dict[str, int] = field(default_factory=dict)
    #: Whose head another replica changed, so that we have to look whether we have its plan.
    looks: set[str] = field(default_factory=set)
    #: Whose head is another since somebody took them from here.
    touched: set[str] = field(default_factory=set)
    allotted: dict[str, Allocation] = field(default_factory=dict)
    proposed: dict[str, Head] = field(default_factory=dict)
    _flying: Batch | None = None
    _past: dict[str, deque[str]] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether this replica allots prefixes and numbers plans."""
        return self.epoch > 0

    @property
    def waits(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.proposed or self.allotted)

    def take(self, heads: Mapping[str, Head | None]) -> None:
        """The ledger has these heads now."""
        self.touched |= heads.keys()
        for name, head in heads.items():
            before = self.heads.pop(name, None)
            if before and before.digest:
                self._past.setdefault(name, deque(maxlen=_PAST)).append(before.digest)
            if head is not None:
                self.heads[name] = head
            if name not in self.proposed and not (self._flying and name in self._flying.heads):
                self.looks.add(name)

    def raise_floors(self, floors: Mapping[str, int]) -> None:
        """Devices say that they have plans of these numbers."""
        for name, floor in floors.items():
            if floor > self.floors.get(name, 0):
                self.floors[name] = floor
                self.looks.add(name)

    def was_told(self, name: str, digest: str) -> bool:
        """Whether the device was told this plan before the present one."""
        return any(digest.startswith(old) for old in self._past.get(name, ()))

    def last(self, name: str) -> Head | None:
        """The last head that we know of, or gave away and do not know what became of it."""
        flying = self._flying.heads.get(name) if self._flying else None
        return flying or self.heads.get(name)

    def drain(self) -> Batch:
        """What is to be written now; what is proposed from now on goes with the next batch."""
        self._flying = Batch(self.epoch, self.allotted, self.proposed)
        self.allotted, self.proposed = {}, {}
        return self._flying

    def landed(self, batch: Batch) -> None:
        """All of the batch was written."""
        if self._flying is batch:
            self._flying = None

    def put_back(self, batch: Batch) -> None:
        """Not all of the batch was written: it goes with the next one, unless newer plans were made."""
        if self._flying is batch:
            self._flying = None
        if batch.epoch == self.epoch:
            self.allotted = {**batch.allotted, **self.allotted}
            self.proposed = {**batch.heads, **self.proposed}

    def follow(self) -> None:
        """Lead no more: what was not written is forgotten."""
        self.epoch = 0
        self.allotted, self.proposed, self._flying = {}, {}, None
