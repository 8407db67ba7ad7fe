# SPDX-License-Identifier: Apache-2.0
"""unbound's listings as typed values. Pure.

unbound-control(8) has their forms: stats, dump_requestlist, dump_infra, lookup.
"""

from collections.abc import Iterator
from dataclasses import dataclass

#: Of the histogram's bounds, in seconds: above it an answer counts as slow.
_SLOW = 1.0


@dataclass(frozen=True)
class CacheStatistics:
    """Since unbound started. `recursions` had to be asked for; `average` and `median` are their seconds."""

    uptime: float = 0.0
    queries: int = 0
    hits: int = 0
    misses: int = 0
    prefetched: int = 0
    expired: int = 0
    failed: int = 0
    recursions: int = 0
    slow: int = 0
    average: float = 0.0
    median: float = 0.0


@dataclass(frozen=True)
class Pending:
    """A question that has no answer yet; `state` is what unbound waits for."""

    name: str
    kind: str
    seconds: float
    state: str


@dataclass(frozen=True)
class Upstream:
    """A name server that unbound knows. `rtt` is in seconds; `lapsed` its unanswered questions in a row."""

    address: str
    zone: str
    rtt: float
    lapsed: int


def read_statistics(text: str) -> CacheStatistics:
    """The answer of `stats_noreset`."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def count(name: str) -> int:
        return int(float(found.get(name, 0)))

    return CacheStatistics(
        uptime=float(found.get("time.up", 0)),
        queries=count("total.num.queries"),
        hits=count("total.num.cachehits"),
        misses=count("total.num.cachemiss"),
        prefetched=count("total.num.prefetch"),
        expired=count("total.num.expired"),
        failed=count("num.answer.rcode.SERVFAIL"),
        recursions=count("total.num.recursivereplies"),
        slow=sum(int(value) for name, value in found.items() if _is_slow(name)),
        average=float(found.get("total.recursion.time.avg", 0)),
        median=float(found.get("total.recursion.time.median", 0)),
    )


def _is_slow(name: str) -> bool:
    # "histogram.000001.000000.to.000002.000000": whole seconds, then millionths.
    parts = name.split(".")
    return parts[0] == "histogram" and len(parts) == 6 and float(f"{parts[1]}.{parts[2]}") >= _SLOW


def read_pending(text: str) -> Iterator[Pending]:
    """The answer of `dump_requestlist`; what unbound asks for itself (`-` for the time) is left out."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 6 and words[0].isdecimal() and words[4] != "-":
            yield Pending(words[3], words[1], float(words[4]), " ".join(words[6:]))


def read_upstreams(text: str) -> Iterator[Upstream]:
    """The answer of `dump_infra`: ADDRESS ZONE, then pairs of a name and a number."""
    for line in text.splitlines():
        address, zone, *rest = line.split() if " rtt " in line else ("", "")
        fields = dict(zip(rest[::2], rest[1::2], strict=False))
        if address and fields.get("rtt", "").isdecimal():
            lapsed = sum(int(fields[name]) for name in ("tA", "tAAAA") if fields.get(name, "").isdecimal())
            yield Upstream(address.partition("@")[0], zone, int(fields["rtt"]) / 1000, lapsed)


def read_servers(text: str) -> Iterator[str]:
    """The addresses in the answer of `lookup NAME`, each the first word of a line with its `rto`."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[1] in ("rto", "not"):
            yield words[0]
