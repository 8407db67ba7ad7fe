# SPDX-License-Identifier: Apache-2.0
"""The door to nftables: one table of ours, written in one transaction and read back by nft(8)'s own listing.

The table says itself what it holds: its comment has the digest of the rules that were wanted, and the set
`seal` a short hash of the rules as the kernel listed them right after. So a fresh agent knows what is there,
and whether somebody changed it since, without any file. It is text and a process, because libnftables' JSON
costs far more memory.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel import processes
from appliance.netcore.ruleset import Delta, Elements, Ruleset

TABLE = "orillo"
_SEAL = "seal"

#: One transaction of tens of thousands of elements takes seconds on a small gateway.
_TIMEOUT = 60.0

_COMMENT = re.compile(r'^\tcomment "orillo (?P<digest>[0-9a-f]+)"$', re.MULTILINE)
_MEMBERS = re.compile(
    r"^\t(?:set|map) (?P<name>\S+) \{\n"
    r"(?:\t\t(?!elements).*\n)*"
    r"\t\telements = \{ (?P<elements>[^}]*) \}\n\t\}",
    re.MULTILINE,
)


class Run(Protocol):
    """How processes are run: `processes.run`, or the same inside another network namespace."""

    def __call__(self, *argv: str, input: bytes = b"", timeout: float = 10.0) -> Awaitable[bytes]: ...  # noqa: A002


class NftTable:
    """The table `inet orillo`; no other table is ever read or written. All methods raise `DoorError`.

    `generation` (`nft_generation.generation`) lets the seal wait: to list the rules takes as long as to load
    ten thousand services, since nft(8) fetches every element for it. Without one, `replace` seals at once.
    """

    def __init__(self, run: Run = processes.run, generation: Callable[[], int] | None = None) -> None:
        self._run = run
        self._generation = generation
        #: The number that nftables had right after our last load, while the table has no seal.
        self._unsealed: int | None = None

    async def digest(self) -> str | None:
        """The digest of the rules that the table was loaded with; None if it is not there, or drifted."""
        if not await self.exists():
            return None
        rules = await self._list("-t", "table", TABLE)
        comment = _COMMENT.search(rules)
        sealed = (await self._elements_of("set", _SEAL)) if f"\tset {_SEAL} {{" in rules else {}
        if comment and not sealed and self._is_as_loaded():
            await self._seal(rules)
            return comment["digest"]
        return comment["digest"] if comment and _hash(rules) in sealed else None

    async def elements(self) -> Mapping[str, Elements]:
        """The elements of all sets and maps that have any, as the kernel holds them."""
        found = parse_elements(await self._list("table", TABLE))
        return {name: members for name, members in found.items() if name != _SEAL}

    async def replace(self, wanted: Ruleset) -> None:
        """Put the whole table in one transaction; packets see the old one or the new one, never neither."""
        if wanted.base is None:
            raise ValueError("a ruleset that was read back has no text to load")
        await self._load(_replacement(wanted))
        if self._generation is None:
            await self._seal(await self._list("-t", "table", TABLE))
        else:
            self._unsealed = self._generation()

    async def change(self, delta: Delta) -> None:
        """Change elements only, in one transaction; refused as a whole if one to remove is not there."""
        as_loaded = self._is_as_loaded()
        await self._load([*_statements("delete", delta.remove), *_statements("add", delta.add)])
        if as_loaded and self._generation is not None:
            self._unsealed = self._generation()

    async def delete(self) -> None:
        """Remove the table; that it is absent is a success."""
        await self._load([f"add table inet {TABLE}", f"delete table inet {TABLE}"])

    async def exists(self) -> bool:
        """Whether the table is there, in whatever state."""
        tables = await self._run("nft", "list", "tables", "inet", timeout=_TIMEOUT)
        return f"table inet {TABLE}" in tables.decode().splitlines()

    def _is_as_loaded(self) -> bool:
        """Whether nobody changed any table since we loaded ours, which has no seal yet."""
        return self._generation is not None and self._unsealed == self._generation()

    async def _seal(self, rules: str) -> None:
        """Write down what the rules look like, so that a later agent sees whether somebody changed them."""
        await self._load([f"add element inet {TABLE} {_SEAL} {{ {_hash(rules)} }}"])
        self._unsealed = None

    async def _list(self, *what: str) -> str:
        *options, kind, name = what
        listing = await self._run("nft", *options, "list", kind, "inet", name, timeout=_TIMEOUT)
        return listing.decode()

    async def _elements_of(self, kind: str, name: str) -> Elements:
        listing = await self._run("nft", "list", kind, "inet", TABLE, name, timeout=_TIMEOUT)
        return parse_elements(listing.decode()).get(name, {})

    async def _load(self, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n"
        try:
            await self._run("nft", "-f", "-", input=text.encode(), timeout=_TIMEOUT)
        except DoorError as error:
            raise DoorError(f"nftables refused a change of table inet {TABLE}: {error}") from error


def parse_elements(listing: str) -> dict[str, Elements]:
    """The elements in a listing of a table, set or map, by set."""
    return {match["name"]: dict(_pairs(match["elements"])) for match in _MEMBERS.finditer(listing)}


def _pairs(text: str) -> Iterator[tuple[str, str | None]]:
    for element in text.split(","):
        # " : " parts a map's key from its value; the colons of an IPv6 address have no spaces around them.
        key, arrow, value = element.strip().partition(" : ")
        yield key, value if arrow else None


def _replacement(wanted: Ruleset) -> list[str]:
    return [
        # To delete a table that may be absent: the first line makes sure that it is there.
        f"add table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        f'\tcomment "orillo {wanted.digest}"',
        f"\tset {_SEAL} {{ type mark; }}",
        wanted.base or "",
        "}",
        *_statements("add", wanted.elements),
    ]


def _statements(verb: str, sets: Mapping[str, Elements]) -> Iterator[str]:
    for name, members in sets.items():
        texts = (
            key if value is None or verb == "delete" else f"{key} : {value}" for key, value in members.items()
        )
        yield f"{verb} element inet {TABLE} {name} {{ {', '.join(texts)} }}"


def _hash(rules: str) -> str:
    """32 bits of SHA-256 as nft writes a mark: enough to notice a change, and no defence against root."""
    return f"0x{hashlib.sha256(rules.encode()).hexdigest()[:8]}"
