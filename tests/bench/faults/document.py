# SPDX-License-Identifier: Apache-2.0
"""`docs/conditions.md`, made of the catalogue and of the faults: `python -m tests.bench.faults.document`."""

from collections.abc import Iterator
from pathlib import Path

from appliance.netcore.health.catalogue import CATALOGUE
from tests.bench.faults.all import FAULTS, NOT_INJECTED, PAIRS

FILE = Path(__file__).parents[3] / "docs/conditions.md"
_HEAD = """# Conditions

What `orillo doctor`, `orillo status` and the terminal can name, from the box outwards. A condition whose
cause is found too is hidden behind it. The running agent shows one once it was seen for *after* seconds, and
drops it when it was not seen for *clears* seconds (at its next look, where that is 0); `orillo doctor` waits
for neither.

`./dev bench diagnosis` injects each of the faults into a lab and asks the doctor. This file is made of the
catalogue and of that benchmark: `python -m tests.bench.faults.document`.

| code | severity | what is so | what to do | after, clears (s) |
|---|---|---|---|---|
"""


def document() -> str:
    """The whole file."""
    return "".join((_HEAD, *_catalogue(), *_faults(), *_pairs(), *_rest()))


def _catalogue() -> Iterator[str]:
    for kind in CATALOGUE:
        text, action = _cell(kind.en.text), _cell(kind.en.action)
        times = f"{kind.visible_after:g}, {kind.clears_after:g}"
        yield f"| `{kind.code}` | {kind.severity} | {text} | {action} | {times} |\n"


def _faults() -> Iterator[str]:
    yield f"\n## The {len(FAULTS)} faults\n\n| fault | how it is injected | named |\n|---|---|---|\n"
    for fault in FAULTS:
        yield f"| {fault.name} | {_cell(fault.how)} | `{fault.expect}` |\n"


def _pairs() -> Iterator[str]:
    yield "\n## Two at once, of which the root is named\n\n| pair | what is wrong | named |\n|---|---|---|\n"
    for fault in PAIRS:
        yield f"| {fault.name} | {_cell(fault.how)} | `{fault.expect}` |\n"


def _rest() -> Iterator[str]:
    yield "\n## Not injected, and why\n\n| code | why |\n|---|---|\n"
    for code, why in NOT_INJECTED.items():
        yield f"| `{code}` | {_cell(why)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    FILE.write_text(document())
