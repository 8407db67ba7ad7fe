# SPDX-License-Identifier: Apache-2.0
"""The kernel state of a host as plain lines, to be compared before and after."""

import re
from dataclasses import dataclass, fields
from typing import Protocol

from tests.lab.command import run

#: Kernel settings that anything about forwarding may touch. The counters and secrets among them are left out.
_SETTINGS = re.compile(
    r"^net\.ipv[46]\.(ip_forward|conf\.(all|default|uplink|public|lan)\.(?!stable_secret)\S+) "
)


@dataclass(frozen=True)
class HostState:
    """What a host's kernel holds besides what it makes by itself (link-local addresses, local routes)."""

    links: frozenset[str]
    addresses: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    firewall: frozenset[str]
    settings: frozenset[str]


class Asker(Protocol):
    """Runs a program on a host that has to succeed, and returns its output."""

    def __call__(self, *argv: str, ns: str) -> str: ...


def look(ns: str, run: Asker = run) -> HostState:
    """Read the state of a host: of a namespace, or with another `run` of what that leads to."""
    return HostState(
        links=_names(run("ip", "-br", "link", ns=ns)),
        addresses=_lines(
            run("ip", "-o", "-4", "addr", ns=ns)
            + run("ip", "-o", "-6", "addr", "show", "scope", "global", ns=ns)
        ),
        routes=frozenset(line for family in ("-4", "-6") for line in _routes(ns, family, run)),
        rules=_lines(run("ip", "-4", "rule", ns=ns) + run("ip", "-6", "rule", ns=ns)),
        firewall=_lines(run("nft", "--stateless", "list", "ruleset", ns=ns)),
        settings=frozenset(line for line in run("sysctl", "-a", ns=ns).splitlines() if _SETTINGS.match(line)),
    )


def differences(before: HostState, after: HostState) -> list[str]:
    """What was added or lost, a line each; none if nothing is left behind and nothing was taken."""
    found = []
    for part in fields(HostState):
        old: frozenset[str] = getattr(before, part.name)
        new: frozenset[str] = getattr(after, part.name)
        found += [f"{part.name}: left {line}" for line in sorted(new - old)]
        found += [f"{part.name}: lost {line}" for line in sorted(old - new)]
    return found


def _routes(ns: str, family: str, run: Asker) -> list[str]:
    listing = run("ip", family, "route", "show", "table", "all", ns=ns).splitlines()
    return [
        " ".join(line.split()) for line in listing if "proto kernel" not in line and "linkdown" not in line
    ]


def _names(listing: str) -> frozenset[str]:
    return frozenset(line.split()[0].partition("@")[0] for line in listing.splitlines())


def _lines(listing: str) -> frozenset[str]:
    """Lines without the interface numbers, life times and white space that differ from look to look."""
    plain = (re.sub(r"^\d+: (?=\S+ +inet)|\\.*$", "", line) for line in listing.splitlines())
    return frozenset(" ".join(line.split()) for line in plain if line.strip())
