# SPDX-License-Identifier: Apache-2.0
"""`footprint`: what the daemon costs while nothing happens; compiled and CPython side by side.

Each runs as a connector with a real signed plan of 1, 100 and 1,000 edges, a live long poll over mTLS, and
its charon. Nobody calls, so that what is measured is the daemon alone.
"""

import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.binary import compiled
from tests.bench.box import Box, ground, make_box, start
from tests.bench.memory import Memory, memory, work
from tests.bench.outcome import CannotMeasureError, Outcome, say
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product

_PEERS = (1, 100, 1000)
#: Two resyncs and two polls.
_WINDOW = 60.0
_RSS = 32 * 1024
_PRIVATE = 22_000
_PER_PEER = 4.0
_WAKES = 1.0
_CPU = 0.1
#: Of what is fetched for an installation: the programs, packed as a package packs them.
_DOWNLOAD = 25_000_000


@dataclass(frozen=True)
class Cost:
    """Of one daemon over the window: memory at its end, wake-ups a second, processor time in per cent."""

    memory: Memory
    wakes: float
    cpu: float


def run() -> Outcome:
    """All six daemons at once, over one window."""
    programs = {"compiled": (str(compiled()),), "cpython": Product().appliance}
    with ground() as namespaces:
        boxes = {
            (kind, peers): _settled(namespaces, kind, program, peers)
            for kind, program in programs.items()
            for peers in _PEERS
        }
        costs = _watch(boxes)
    return _outcome(costs)


def _download(directory: Path) -> int:
    """The bytes of a directory as dpkg-deb(1) packs it."""
    tar = subprocess.Popen(["tar", "-C", str(directory), "-c", "."], stdout=subprocess.PIPE)
    packed = subprocess.run(["xz", "-6", "-c"], stdin=tar.stdout, capture_output=True, check=True).stdout
    if tar.wait():
        raise CannotMeasureError(f"tar could not pack {directory}")
    return len(packed)


def _settled(namespaces: Namespaces, kind: str, program: tuple[str, ...], peers: int) -> Box:
    started = time.monotonic()
    box = make_box(namespaces, f"{kind}{peers}", program, peers)
    start(box)
    box.settle(peers)
    say(f"{kind} with {peers} peers has settled, {time.monotonic() - started:.0f} s")
    return box


def _watch(boxes: dict[tuple[str, int], Box]) -> dict[tuple[str, int], Cost]:
    # The last one has only just settled: its next resync reads all once more, and the one after nothing.
    time.sleep(_WINDOW)
    before = {key: work(box.pid) for key, box in boxes.items()}
    time.sleep(_WINDOW)
    costs = {}
    for key, box in boxes.items():
        after = work(box.pid)
        wakes = (after.sleeps - before[key].sleeps) / _WINDOW
        cpu = (after.nanoseconds - before[key].nanoseconds) / _WINDOW / 1e7
        costs[key] = Cost(memory(box.pid), round(wakes, 3), round(cpu, 4))
    return costs


def _outcome(costs: dict[tuple[str, int], Cost]) -> Outcome:
    download = _download(compiled().parent)
    least, most = _PEERS[0], _PEERS[-1]
    whole = costs["compiled", most]
    per_peer = {
        kind: round((costs[kind, most].memory.rss - costs[kind, least].memory.rss) / (most - least), 2)
        for kind in ("compiled", "cpython")
    }
    holds = {
        "rss": whole.memory.rss <= _RSS,
        "private_dirty": whole.memory.private_dirty * 1.024 <= _PRIVATE,
        "per_peer": per_peer["compiled"] <= _PER_PEER,
        "wakes": whole.wakes <= _WAKES,
        "cpu": whole.cpu <= _CPU,
        "download": download <= _DOWNLOAD,
    }
    detail = {
        "holds": holds,
        "targets": {
            "rss_kib": _RSS,
            "private_dirty_kb": _PRIVATE,
            "kib_a_peer": _PER_PEER,
            "wakes": _WAKES,
            "cpu_percent": _CPU,
            "download_bytes": _DOWNLOAD,
        },
        "download_bytes": download,
        "kib_a_peer": per_peer,
        "daemons": {f"{kind}-{peers}": asdict(cost) for (kind, peers), cost in costs.items()},
    }
    return Outcome("footprint", _RSS, whole.memory.rss, "KiB", all(holds.values()), detail)
