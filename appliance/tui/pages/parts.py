# SPDX-License-Identifier: Apache-2.0
"""What several screens say in the same way. Pure."""

from collections.abc import Iterable, Iterator

from appliance.status.model import Condition, Snapshot, Tunnel
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Row
from appliance.tui.state import Known, tone_of
from appliance.tui.text import Line, Span, line, wrap

RESYNC = Action("r", "look again now", "resync", changes=True)
_LABEL = 11


def fact(label: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    """A fact under its label."""
    return Span(f"{label:<{_LABEL}}", Tone.DIM), Span(text, tone)


def title(text: str, width: int, look: Look) -> Line:
    """A heading with a rule to the right."""
    rule = look.signs.rule
    return line(f"{rule}{rule} {text} " + rule * max(0, width - len(text) - 4), Tone.DIM)


def facts(pairs: Iterable[tuple[str, str]], width: int) -> tuple[Line, ...]:
    """Facts in full, wrapped below their labels."""
    made: list[Line] = []
    for label, text in pairs:
        for index, part in enumerate(wrap(text, max(10, width - _LABEL - 1)) if text else ("-",)):
            made.append(fact("" if index else label, part))
    return tuple(made)


def condition(found: Condition, width: int, look: Look, *, opens: bool = False) -> Row:
    """What is wrong and what to do, in full; with `opens` Enter shows its code and the rest."""
    mark = found.severity.upper()
    lines: list[Line] = []
    for index, part in enumerate(wrap(found.text, max(10, width - _LABEL))):
        lead = Span(f"{'' if index else mark:<{_LABEL - 1}} ", tone_of(found.severity))
        lines.append((lead, Span(part)))
    for index, part in enumerate(wrap(found.remedy, max(10, width - _LABEL - 3))):
        arrow = " " * len(look.signs.arrow) if index else look.signs.arrow
        lines.append((Span(" " * _LABEL), Span(f"{arrow} {part}", Tone.STRONG)))
    if opens:
        seen = wrap(found.evidence, max(10, width - _LABEL))
        lines += [(Span(" " * _LABEL), Span(part, Tone.DIM)) for part in seen]
    return Row(tuple(lines), key=found.code, problem=True, detail=_in_full(found, width) if opens else ())


def _in_full(found: Condition, width: int) -> tuple[Line, ...]:
    return facts(
        (
            ("code", found.code),
            ("severity", found.severity),
            ("what", found.text),
            ("do next", found.remedy or "nothing is asked of you"),
            ("seen", found.evidence),
            ("since", f"{found.since.astimezone():%Y-%m-%d %H:%M:%S}" if found.since else ""),
            ("hides", ", ".join(found.hides) or "no other condition"),
        ),
        width,
    )


def milliseconds(seconds: float | None) -> str:
    """A round trip; whole above ten, since the tenths there only flicker."""
    if seconds is None:
        return "-"
    thousandths = seconds * 1000
    return f"{thousandths:.0f} ms" if thousandths >= 10 else f"{thousandths:.1f} ms"


def best_path(snapshot: Snapshot) -> tuple[str, Tunnel] | None:
    """The tunnel that carries the site's traffic."""
    chosen = ((name, tunnel) for name, tunnel in snapshot.tunnels.items() if tunnel.chosen)
    return next(chosen, None)


def verdict(known: Known) -> tuple[str, str, Tone]:
    """How the device is in a word, the most important fact about that, and its tone."""
    snapshot = known.snapshot
    if snapshot is None:
        return "NO ANSWER", known.trouble, Tone.WARN
    found = known.conditions()
    if known.trouble:
        return f"NO NEWS SINCE {clock(snapshot)}", known.trouble, Tone.WARN
    grave = [one for one in found if tone_of(one.severity) is not Tone.PLAIN]
    if not grave:
        return "HEALTHY", "everything is as planned", Tone.GOOD
    more = f" (and {len(grave) - 1} more: 8)" if len(grave) > 1 else ""
    word = "FAULT" if tone_of(grave[0].severity) is Tone.BAD else "DEGRADED"
    return word, grave[0].text + more, tone_of(grave[0].severity)


def clock(snapshot: Snapshot) -> str:
    """When the snapshot was, on this place's clock."""
    return snapshot.at.astimezone().strftime("%H:%M:%S")


def counts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The tables that are not wholly applied, each with why."""
    for name, count in sorted(snapshot.tables.items()):
        if count.failed or count.waiting:
            how = f"{count.failed} failed" if count.failed else f"{count.waiting} waiting"
            yield name, f"{how}: {count.reason}"
