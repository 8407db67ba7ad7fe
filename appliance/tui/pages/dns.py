# SPDX-License-Identifier: Apache-2.0
"""DNS: does the name cache stand, and which services it answers from the plan. Pure."""

from appliance.status.model import Snapshot
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import RESYNC, fact
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, table

_HEAD = ("NAME", "ADDRESSES")
_LOOK_UP = Action("l", "look up a name", "filter ", ask=True)


def page(known: Known, width: int, _look: Look) -> Page:
    """The cache in a line, then the names it knows with no uplink."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty="nothing is known of the name cache yet")
    names = {name.partition(":")[0]: port.addresses for name, port in sorted(snapshot.services.items())}
    cells = [[Span(_dotted(name)), Span(", ".join(addresses))] for name, addresses in names.items()]
    head, lines = table(_HEAD, cells, width)
    return Page(
        (_cache(snapshot), EMPTY, head),
        tuple(Row((one,), key=name) for name, one in zip(names, lines, strict=True)),
        "no name is in the plan",
        (_LOOK_UP, RESYNC),
    )


def _dotted(name: str) -> str:
    namespace, _, service = name.rpartition("/")
    return f"{service}.{namespace}.svc" if namespace else service


def _cache(snapshot: Snapshot) -> Line:
    counts = [count for name, count in sorted(snapshot.tables.items()) if name.partition("-")[0] == "dns"]
    if not counts:
        return fact("Cache", "not set up: the plan has no DNS, or no pass was made yet", Tone.WARN)
    for count in counts:
        if count.failed or count.waiting:
            return fact("Cache", f"not ready: {count.reason}", Tone.BAD if count.failed else Tone.WARN)
    return fact("Cache", "is as planned; what is below is answered with no uplink too", Tone.GOOD)
