# SPDX-License-Identifier: Apache-2.0
"""Which changes of a cluster's objects can be taken in, when not all of them can.

`orillo-cloud apply` refuses manifests that contradict one another, as a whole. A cluster's objects are there
already, from many hands, and one that contradicts the others must not stop the rest: it stays as it was,
with a reason, until it or what it contradicts is corrected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.planner.catalogue import Change
from cloud.planner.model import InventoryError
from cloud.source.manifest import Manifest
from cloud.source.source import Key

Objects = Mapping[Key, Manifest]
#: Raises `InventoryError` for changes after which no plans could be made.
Check = Callable[[Sequence[Change]], None]


@dataclass
class Accepted:
    """Every change that fits, and why each of the others does not."""

    changes: list[Change] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)


def changes(kept: Objects, wanted: Objects) -> list[Change]:
    """What has to happen for `kept` to become `wanted`, with what is gone first: it may make room."""
    gone: list[Change] = [(key, None) for key in kept if key not in wanted]
    new: list[Change] = [(key, manifest) for key, manifest in wanted.items() if kept.get(key) != manifest]
    return gone + new


def accept(asked: Sequence[Change], check: Check) -> Accepted:
    """Take in as many changes as can be: all of them if they fit, which costs one check.

    One that does not fit before another came may fit after it, so the refused ones are tried again as long
    as anything was accepted.
    """
    accepted, waiting = Accepted(), list(asked)
    while waiting:
        accepted.refused.clear()
        _accept(accepted, waiting, check)
        refused = [change for change in waiting if change[0] in accepted.refused]
        if len(refused) == len(waiting):
            break
        waiting = refused
    return accepted


def _accept(accepted: Accepted, asked: Sequence[Change], check: Check) -> None:
    """Try them together; if that fails, each half by itself, down to the one that is at fault."""
    try:
        check([*accepted.changes, *asked])
    except InventoryError as error:
        if len(asked) == 1:
            accepted.refused[asked[0][0]] = str(error)
            return
        middle = len(asked) // 2
        _accept(accepted, asked[:middle], check)
        _accept(accepted, asked[middle:], check)
    else:
        accepted.changes += asked
