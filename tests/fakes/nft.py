# SPDX-License-Identifier: Apache-2.0
"""The table of the firewall in memory: it keeps state, and refuses what nft refuses.

tests/contract/test_nft.py runs one suite on this and on nftables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.netcore.errors import DoorError
from appliance.netcore.ruleset import Delta, Elements, Ruleset

_DECLARED = re.compile(r"^(set|map|chain) (\S+) ", re.MULTILINE)


@dataclass
class FakeNft:
    """`loads` counts how often the whole table was put, `changes` how often elements were."""

    loads: int = 0
    changes: int = 0
    _digest: str | None = None
    _drifted: bool = False
    _kinds: dict[str, str] = field(default_factory=dict)
    _elements: dict[str, dict[str, str | None]] = field(default_factory=dict)

    async def exists(self) -> bool:
        return self._digest is not None

    async def digest(self) -> str | None:
        return None if self._drifted else self._digest

    async def elements(self) -> Mapping[str, Elements]:
        if self._digest is None:
            raise DoorError("No such file or directory")
        return {name: dict(members) for name, members in self._elements.items() if members}

    async def replace(self, wanted: Ruleset) -> None:
        if wanted.base is None:
            raise ValueError("a ruleset that was read back has no text to load")
        kinds = {name: kind for kind, name in _DECLARED.findall(wanted.base)}
        elements: dict[str, dict[str, str | None]] = {}
        self._add(kinds, elements, wanted.elements)
        self._kinds, self._elements = kinds, elements
        self._digest, self._drifted = wanted.digest, False
        self.loads += 1

    async def change(self, delta: Delta) -> None:
        elements = {name: dict(members) for name, members in self._elements.items()}
        for name, members in delta.remove.items():
            if (
                self._kinds.get(name) not in ("set", "map")
                or not members.keys() <= elements.get(name, {}).keys()
            ):
                raise DoorError("nftables refused a change: No such file or directory")
            for key in members:
                del elements[name][key]
        self._add(self._kinds, elements, delta.add)
        self._elements = elements
        self.changes += 1

    async def delete(self) -> None:
        self._digest, self._elements, self._kinds = None, {}, {}

    def tamper_with_rules(self) -> None:
        """As an administrator who adds a rule to our table."""
        self._drifted = True

    def tamper_with_elements(self, name: str, key: str) -> None:
        """As an administrator who removes an element."""
        del self._elements[name][key]

    @staticmethod
    def _add(
        kinds: Mapping[str, str], elements: dict[str, dict[str, str | None]], added: Mapping[str, Elements]
    ) -> None:
        for name, members in added.items():
            if kinds.get(name) not in ("set", "map"):
                raise DoorError("nftables refused a change: No such file or directory")
            there = elements.setdefault(name, {})
            for key, value in members.items():
                if (value is None) is (kinds[name] == "map"):
                    raise DoorError("nftables refused a change: a set has keys, a map has pairs")
                chain = (value or "").removeprefix("goto ")
                if chain != (value or "") and kinds.get(chain) != "chain":
                    raise DoorError("nftables refused a change: No such file or directory")
                if there.get(key, value) != value:
                    raise DoorError("nftables refused a change: File exists")
                there[key] = value
