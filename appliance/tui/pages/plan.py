# SPDX-License-Identifier: Apache-2.0
"""Plan: which one is in force, what has become of its tables, and how it differs from the one before.
Pure.
"""

from collections.abc import Iterator
from typing import Any

from appliance.status.model import Snapshot
from appliance.status.views import Plans, Slot
from appliance.tui.difference import Difference, differences
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages.overview import lag, took
from appliance.tui.pages.parts import RESYNC, before, fact, facts, heads, title, told
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, line, table

_SIGNS = {"+": Tone.GOOD, "-": Tone.BAD, "~": Tone.WARN}
_HEAD = ("TABLE", "APPLIED", "WAITING", "FAILED", "REASON")


def page(known: Known, width: int, look: Look) -> Page:
    """The plan and its slots in a few lines, its tables as branches, then what changed."""
    snapshot = known.snapshot
    if snapshot is None or not snapshot.generation:
        text = "there is no plan yet: it comes once this device is enrolled and reaches the operator"
        return Page(empty=look.say(text))
    names = sorted(snapshot.tables)
    cells = [_cells(snapshot, name, name == names[-1], look) for name in names]
    head, lines = table(heads(look, _HEAD), cells, width)
    made = tuple(
        Row((one,), key=name, problem=_open(snapshot, name), detail=_detail(snapshot, name, width, look))
        for name, one in zip(names, lines, strict=True)
    )
    made = (*_changes(known, width, look), Row((EMPTY, head)), *made)
    return Page(tuple(_facts(snapshot, look)), made, look.say("no pass was made yet"), (RESYNC,))


def _facts(snapshot: Snapshot, look: Look) -> Iterator[Line]:
    time = before(look, snapshot)
    text = look.say("generation {number}, issued {time}", number=snapshot.generation, time=time)
    yield fact(look, "In force", text + took(snapshot, look))
    yield fact(look, "Digest", snapshot.digest[:32])
    behind = lag(snapshot, look)
    if behind:
        yield fact(look, "Lag", behind, Tone.WARN)
    if snapshot.control.refused:
        yield fact(look, "Refused", snapshot.control.refused, Tone.BAD)


def _changes(known: Known, width: int, look: Look) -> Iterator[Row]:
    """The slots, each with when and by whom, and what differs between them."""
    plans = known.plan
    if plans is None:
        yield Row((fact(look, "Slots", told(look, known, "plan"), Tone.DIM),))
        return
    for document, slot in ((plans.plan, plans.slot), (plans.before, plans.slot_before)):
        if document is not None:
            yield Row((_slot(document, slot, look),))
    if plans.plan is None or plans.before is None:
        yield Row((line(look.say("There is no plan before this one on this device."), Tone.DIM),))
        return
    yield from _between(plans, width, look)


def _slot(document: dict[str, Any], slot: Slot | None, look: Look) -> Line:
    label = look.say("Slot {name}", name=slot.name) if slot else look.say("Slot")
    came = f"{slot.arrived.astimezone():%Y-%m-%d %H:%M:%S}" if slot and slot.arrived else "?"
    text = look.say(
        "generation {number}, came {time}, by {author}",
        number=document.get("generation", "?"),
        time=came,
        author=document.get("author", "?"),
    )
    return fact(look, label, text)


def _between(plans: Plans, width: int, look: Look) -> Iterator[Row]:
    found = [_change(one, look) for one in differences(plans.before or {}, plans.plan or {})]
    number = (plans.before or {}).get("generation", "?")
    text = look.say("What changed since generation {number}: {count}", number=number, count=len(found))
    yield Row((title(text, width, look),), key="changes")
    yield from found


def _change(one: Difference, look: Look) -> Row:
    place = " ".join(one.path)
    text = one.text.replace(" -> ", f" {look.signs.arrow} ")
    full = f"{place}: {text}" if text else place
    return Row((line(f"{one.sign} {full}", _SIGNS[one.sign]),), key=place, detail=(line(full),))


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


def _detail(snapshot: Snapshot, name: str, width: int, look: Look) -> tuple[Line, ...]:
    count = snapshot.tables[name]
    return facts(
        look,
        (
            ("table", name),
            ("applied", str(count.applied)),
            ("waiting", str(count.waiting)),
            ("failed", str(count.failed)),
            ("reason", count.reason),
        ),
        width,
    )
