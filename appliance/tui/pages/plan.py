# SPDX-License-Identifier: Apache-2.0
"""Plan: which one is in force, and what has become of each of its tables. Pure."""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.status.views import Plans
from appliance.status.words import ago
from appliance.tui.difference import Difference, differences
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import RESYNC, fact, facts, title
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, line, table

_CHANGES = Action("c", "what changed", "changes", changes=True)
_SIGNS = {"+": Tone.GOOD, "-": Tone.BAD, "~": Tone.WARN}
_HEAD = ("TABLE", "APPLIED", "WAITING", "FAILED", "REASON")


def page(known: Known, width: int, look: Look) -> Page:
    """The plan in a few lines, then its tables as branches."""
    snapshot = known.snapshot
    if snapshot is None or not snapshot.generation:
        return Page(
            empty="there is no plan yet: it comes once this device is enrolled and reaches the operator"
        )
    names = sorted(snapshot.tables)
    cells = [_cells(snapshot, name, name == names[-1], look) for name in names]
    head, lines = table(_HEAD, cells, width)
    rows = tuple(
        Row((one,), key=name, problem=_open(snapshot, name), detail=_detail(snapshot, name, width))
        for name, one in zip(names, lines, strict=True)
    )
    rows += _changes(known.plans, width, look) if known.plans else ()
    return Page((*_facts(snapshot), EMPTY, head), rows, "no pass was made yet", (_CHANGES, RESYNC))


def _changes(plans: Plans, width: int, look: Look) -> tuple[Row, ...]:
    """What differs from the plan before, by whom and when."""
    if plans.plan is None or plans.before is None:
        return (Row((line("There is no plan before this one on this device."),), key="changes"),)
    came = f"{plans.plan.get('issued_at', '')}"[:19].replace("T", " ")
    told = f"Since generation {plans.before.get('generation')}, by {plans.plan.get('author')}, {came} UTC"
    found = [_change(one, look) for one in differences(plans.before, plans.plan)]
    return (Row((title(told, width, look),), key="changes"), *found)


def _change(one: Difference, look: Look) -> Row:
    place = " ".join(one.path)
    text = one.text.replace(" -> ", f" {look.signs.arrow} ")
    full = f"{place}: {text}" if text else place
    return Row((line(f"{one.sign} {full}", _SIGNS[one.sign]),), key=place, detail=(line(full),))


def _facts(snapshot: Snapshot) -> Iterator[Line]:
    issued = ago(snapshot.plan_issued_at, snapshot.at)
    yield fact("In force", f"generation {snapshot.generation}, issued {issued}")
    yield fact("Digest", snapshot.digest[:32])
    if snapshot.control.refused:
        yield fact("Refused", snapshot.control.refused, Tone.BAD)


def _open(snapshot: Snapshot, name: str) -> bool:
    count = snapshot.tables[name]
    return bool(count.failed or count.waiting)


def _cells(snapshot: Snapshot, name: str, last: bool, look: Look) -> list[Span]:
    count = snapshot.tables[name]
    return [
        Span((look.signs.last if last else look.signs.branch) + name),
        Span(str(count.applied)),
        Span(str(count.waiting), Tone.WARN if count.waiting else Tone.PLAIN),
        Span(str(count.failed), Tone.BAD if count.failed else Tone.PLAIN),
        Span(count.reason),
    ]


def _detail(snapshot: Snapshot, name: str, width: int) -> tuple[Line, ...]:
    count = snapshot.tables[name]
    return facts(
        (
            ("table", name),
            ("applied", str(count.applied)),
            ("waiting", str(count.waiting)),
            ("failed", str(count.failed)),
            ("reason", count.reason),
        ),
        width,
    )
