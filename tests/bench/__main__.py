# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench [NAME ...]`: run all benchmarks, or these; each ends with one JSON line.

Exit status: 0 all reach their targets, 1 one does not, 2 usage, 3 one can't run here.
"""

import argparse
import sys
from collections.abc import Sequence

from tests.bench.outcome import CannotMeasureError, say
from tests.bench.registry import BENCHES


def main(argv: Sequence[str] | None = None) -> int:
    """Run them one after the other: two at once would measure each other."""
    parser = argparse.ArgumentParser(prog="./dev bench", description="Figures beside their targets.")
    known = ", ".join(sorted(BENCHES))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {known}; all without a name")
    names: list[str] = parser.parse_args(argv).names
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {known}")
    return max((_run(name) for name in names or BENCHES), default=0)


def _run(name: str) -> int:
    try:
        outcome = BENCHES[name]()
    except CannotMeasureError as error:
        say(f"{name} can't run here: {error}")
        return 3
    print(outcome.line(), flush=True)
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())
