# SPDX-License-Identifier: Apache-2.0
"""What other programs' nftables chains do with packets, read from nft(8)'s listing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.netcore.kernel.nft import TABLE, Run
from appliance.netcore.kernel.processes import run as run_process

_TABLE = re.compile(r"^table (\w+) (\S+) \{")
_CHAIN = re.compile(r"^\tchain (\S+) \{")
_HOOK = re.compile(r"^\t\ttype (\w+) hook (\w+)(?: device \S+)? priority [^;]+;(?: policy (\w+);)?")
_LARGEST = 4_000_000


@dataclass(frozen=True)
class Chain:
    """A chain of another program's table; `hook` and `policy` are empty where it has none."""

    table: str
    name: str
    hook: str = ""
    policy: str = ""
    rules: tuple[str, ...] = ()


async def other_chains(run: Run = run_process) -> tuple[Chain, ...]:
    """The chains of all tables but ours, elements of sets left out. Raises `DoorError`."""
    listing = (await run("nft", "-t", "list", "ruleset", timeout=5.0)).decode(errors="replace")
    return parse(listing[:_LARGEST])


def parse(listing: str) -> tuple[Chain, ...]:
    """The chains in a listing of the whole ruleset."""
    return tuple(_chains(listing))


def _chains(listing: str) -> Iterator[Chain]:
    table, name, hook, policy = "", "", "", ""
    rules: list[str] = []
    for line in listing.splitlines():
        if found := _TABLE.match(line):
            table = f"{found[1]} {found[2]}"
        elif found := _CHAIN.match(line):
            name, hook, policy, rules = found[1], "", "", []
        elif line == "\t}" and name:
            if table != f"inet {TABLE}":
                yield Chain(table, name, hook, policy, tuple(rules))
            name = ""
        elif name and (found := _HOOK.match(line)):
            hook, policy = found[2], found[3] or "accept"
        elif name:
            rules.append(line.strip())
