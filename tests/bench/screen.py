# SPDX-License-Identifier: Apache-2.0
"""`screen`: what the terminal costs a serial line of 115200 baud, beside Textual as it comes.

Both show the same recording, whose daemon speaks every second, on a pseudo-terminal that takes 11,520 bytes a
second: bytes and time until the screen can be read, then the bytes a second while nothing is typed. Bytes are
medians; the time is the best of the rounds, since a busy machine only adds to it (the median is beside it).
"""

import sys
from collections.abc import Mapping, Sequence
from statistics import median

from tests.bench.outcome import Outcome, say
from tests.tui.pseudo import SERIAL_RATE, environment, on_terminal, tui

_ROUNDS = 5
_IDLE_SECONDS = 10.0
_PAINT_BYTES = 6000.0
_IDLE_RATE = 500.0
_PAINT_SECONDS = 1.0
#: The last thing painted, and a fact in the middle: when both are there the screen is of use.
_WHOLE = (b"Support", b"HEALTHY", b"generation")
Figures = Mapping[str, float]


def run() -> Outcome:
    """Ours and the stock one in turn; the value is ours, the bytes of the first paint."""
    ours: list[Figures] = []
    stock: list[Figures] = []
    for number in range(_ROUNDS):
        say(f"screen: round {number + 1} of {_ROUNDS}")
        ours.append(_measure(tui("--demo"), environment("vt220", "C")))
        stock.append(_measure((sys.executable, "-m", "tests.bench.screen_stock"), environment()))
    mine, other = _medians(ours), _medians(stock)
    holds = {
        "paint_bytes": mine["paint_bytes"] <= _PAINT_BYTES,
        "idle_bytes_per_second": mine["idle_bytes_per_second"] <= _IDLE_RATE,
        "paint_seconds": _best(ours) <= _PAINT_SECONDS,
    }
    detail = {
        "holds": holds,
        "targets": {
            "paint_bytes": _PAINT_BYTES,
            "idle_bytes_per_second": _IDLE_RATE,
            "paint_seconds": _PAINT_SECONDS,
        },
        "best_paint_seconds": {"ours": _best(ours), "stock": _best(stock)},
        "ours": mine,
        "stock": other,
        "rounds": ours,
    }
    return Outcome("screen", _PAINT_BYTES, mine["paint_bytes"], "B", all(holds.values()), detail)


def _measure(arguments: Sequence[str], around: Mapping[str, str]) -> Figures:
    with on_terminal(arguments, around, rate=SERIAL_RATE) as line:
        line.until(lambda output: all(word in output for word in _WHOLE))
        seconds = line.pieces[-1][0]
        line.for_seconds(0.5)
        painted = len(line.output)
        idle = line.for_seconds(_IDLE_SECONDS) / _IDLE_SECONDS
        line.type("q")
        line.wait()
    return {
        "paint_bytes": painted,
        "paint_seconds": round(seconds, 3),
        "idle_bytes_per_second": round(idle, 1),
    }


def _medians(figures: Sequence[Figures]) -> Figures:
    return {name: median(one[name] for one in figures) for name in figures[0]}


def _best(figures: Sequence[Figures]) -> float:
    return min(one["paint_seconds"] for one in figures)
