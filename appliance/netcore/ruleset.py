# SPDX-License-Identifier: Apache-2.0
"""The nftables table that is wanted, as a value: rules as text, and the elements of its sets and maps.

Pure values. They stand below the door and the pure code that compiles them, because neither may import the
other.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

#: Elements by the text that nft lists them with; a set's have no value, a map's one each.
Elements = Mapping[str, str | None]


@dataclass(frozen=True)
class Ruleset:
    """A whole table. `base` is what stands between its braces, without elements.

    Two rulesets are equal if the digests of their rules and their elements are: a table that is read back
    from the kernel knows the digest of its base only, and has None for the text.
    """

    digest: str
    elements: Mapping[str, Elements]
    base: str | None = field(default=None, compare=False, repr=False)


def ruleset(base: str, elements: Mapping[str, Elements]) -> Ruleset:
    """A ruleset to load; sets with no elements are left out, as the kernel would not list any."""
    filled = {name: dict(members) for name, members in elements.items() if members}
    return Ruleset(hashlib.sha256(base.encode()).hexdigest()[:32], filled, base)


class Packed:
    """A ruleset without its text, to be remembered: ten thousand services are megabytes as objects."""

    def __init__(self, whole: Ruleset) -> None:
        self.digest = whole.digest
        self._elements = zlib.compress(msgspec.json.encode(whole.elements), 1)

    def ruleset(self) -> Ruleset:
        """As it was."""
        elements = msgspec.json.decode(zlib.decompress(self._elements), type=dict[str, dict[str, str | None]])
        return Ruleset(self.digest, elements)


@dataclass(frozen=True)
class Delta:
    """What turns the elements of one table into another's; removals go first."""

    remove: Mapping[str, Elements]
    add: Mapping[str, Elements]

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


def difference(old: Mapping[str, Elements], new: Mapping[str, Elements]) -> Delta:
    """The delta from `old` to `new`. A map's element with another value is removed and added."""
    names = sorted(old.keys() | new.keys())
    remove = {name: _missing(old.get(name, {}), new.get(name, {})) for name in names}
    add = {name: _missing(new.get(name, {}), old.get(name, {})) for name in names}
    return Delta(_filled(remove), _filled(add))


def _missing(these: Elements, those: Elements) -> Elements:
    """What of `these` is not the same in `those`."""
    return {key: value for key, value in these.items() if key not in those or those[key] != value}


def _filled(sets: Mapping[str, Elements]) -> Mapping[str, Elements]:
    return {name: members for name, members in sets.items() if members}
