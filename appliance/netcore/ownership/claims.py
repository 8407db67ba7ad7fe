# SPDX-License-Identifier: Apache-2.0
"""Who carries which edge: all connectors' claims, of which the newest wins. Pure.

Every owner tells only of its own edges, as ages. A receiver turns them into times of its own monotonic
clock, so that no two clocks need to agree.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

#: A claim that came again may differ by the way's latency and by charon's whole seconds; it is the same one.
_SAME_CLAIM = 1.0


class Snapshot(msgspec.Struct, frozen=True):
    """All that one connector carries: for each edge, the age of its newest site child in seconds."""

    owner: str
    edges: dict[str, float]


@dataclass(frozen=True)
class Claims:
    """For each owner the edges that it claims, and since when (monotonic time of this device)."""

    by_owner: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def told(self, snapshot: Snapshot, now: float) -> "Claims":
        """With everything that `snapshot.owner` claims, in place of what it claimed before."""
        known = self.by_owner.get(snapshot.owner, {})
        edges = {edge: _since(known.get(edge), now - age) for edge, age in snapshot.edges.items()}
        return Claims({**self.by_owner, snapshot.owner: edges})

    def only(self, owners: Collection[str]) -> "Claims":
        """Without the claims of anybody else: a connector left the plan, or was revoked."""
        return Claims({owner: edges for owner, edges in self.by_owner.items() if owner in owners})

    def owners(self) -> dict[str, str]:
        """The owner of each edge. Of two claims of the same instant the last name wins, everywhere."""
        best: dict[str, tuple[float, str]] = {}
        for owner, edges in self.by_owner.items():
            for edge, since in edges.items():
                best[edge] = max(best.get(edge, (since, owner)), (since, owner))
        return {edge: owner for edge, (_, owner) in sorted(best.items())}


def _since(known: float | None, told: float) -> float:
    """The earlier time is the nearer one to the truth: latency only ever makes a claim look younger."""
    if known is not None and abs(told - known) <= _SAME_CLAIM:
        return min(known, told)
    return told


def snapshot_of(owner: str, since: Mapping[str, float], now: float) -> Snapshot:
    """What an owner sends of its own claims."""
    return Snapshot(owner, {edge: max(0.0, now - at) for edge, at in since.items()})


def write(snapshot: Snapshot) -> bytes:
    """One line of the stream."""
    return msgspec.json.encode(snapshot, order="sorted") + b"\n"


def read(line: bytes) -> Snapshot:
    """The other way; raises `ValueError`."""
    snapshot = msgspec.json.decode(line, type=Snapshot)
    if any(age < 0 for age in snapshot.edges.values()):
        raise ValueError("a claim of the future")
    return snapshot
