# SPDX-License-Identifier: Apache-2.0
"""What several screens say in the same way. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from appliance.status.model import Condition, Snapshot, Tunnel
from appliance.status.words import ago
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Name, Row, key_of
from appliance.tui.state import Happening, Known, tone_of
from appliance.tui.text import Line, Span, columns_of, line, pad, wrap

RESYNC = Action("r", "look again now", "resync", changes=True)
_LABEL = 11


def fact(look: Look, label: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    """A fact under its label."""
    return Span(pad(look.say(label), _LABEL), Tone.DIM), Span(text, tone)


def title(text: str, width: int, look: Look) -> Line:
    """A heading with a rule to the right."""
    rule = look.signs.rule
    return line(f"{rule}{rule} {text} " + rule * max(0, width - columns_of(text) - 4), Tone.DIM)


def facts(look: Look, pairs: Iterable[tuple[str, str]], width: int) -> tuple[Line, ...]:
    """Facts in full, wrapped below their labels."""
    made: list[Line] = []
    for label, text in pairs:
        for index, part in enumerate(wrap(text, max(10, width - _LABEL - 1)) if text else ("-",)):
            made.append(fact(look, "" if index else label, part))
    return tuple(made)


def heads(look: Look, names: Sequence[str]) -> list[str]:
    """The heads of a table."""
    return [look.say(name) for name in names]


def rows(lines: Iterable[Line]) -> tuple[Row, ...]:
    """A row a line, only to be read."""
    return tuple(Row((one,)) for one in lines)


def told(look: Look, known: Known, op: str) -> str:
    """Why there is nothing to show of what was asked for."""
    why = known.unanswered.get(op)
    return look.say("the daemon says nothing of it: {reason}", reason=why) if why else look.say("asking ...")


def condition(found: Condition, width: int, look: Look, *, opens: bool = False) -> Row:
    """What is wrong and what to do, in full; with `opens` Enter shows its code and the rest."""
    mark = look.say(found.severity.upper())
    lines: list[Line] = []
    for index, part in enumerate(wrap(found.text, max(10, width - _LABEL))):
        lead = Span(pad("" if index else mark, _LABEL - 1) + " ", tone_of(found.severity))
        lines.append((lead, Span(part)))
    for index, part in enumerate(wrap(found.remedy, max(10, width - _LABEL - 3))):
        arrow = " " * len(look.signs.arrow) if index else look.signs.arrow
        lines.append((Span(" " * _LABEL), Span(f"{arrow} {part}", Tone.STRONG)))
    if opens:
        seen = wrap(found.evidence, max(10, width - _LABEL))
        lines += [(Span(" " * _LABEL), Span(part, Tone.DIM)) for part in seen]
    detail = _in_full(found, width, look) if opens else ()
    return Row(tuple(lines), key=found.code, problem=True, detail=detail)


def _in_full(found: Condition, width: int, look: Look) -> tuple[Line, ...]:
    return facts(
        look,
        (
            ("code", found.code),
            ("severity", look.say(found.severity.upper())),
            ("what", found.text),
            ("do next", found.remedy or look.say("nothing is asked of you")),
            ("seen", found.evidence),
            ("since", f"{found.since.astimezone():%Y-%m-%d %H:%M:%S}" if found.since else ""),
            ("hides", ", ".join(found.hides) or look.say("no other condition")),
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


def verdict(known: Known, look: Look) -> tuple[str, str, Tone]:
    """How the device is in a word, the most important fact about that, and its tone."""
    snapshot = known.snapshot
    if snapshot is None:
        return look.say("NO ANSWER"), look.say(known.trouble), Tone.WARN
    found = known.conditions()
    if known.trouble:
        return look.say("NO NEWS SINCE {time}", time=clock(snapshot)), look.say(known.trouble), Tone.WARN
    grave = [one for one in found if tone_of(one.severity) is not Tone.PLAIN]
    if not grave:
        return look.say("HEALTHY"), look.say("everything is as planned"), Tone.GOOD
    doctor = key_of(Name.DOCTOR)
    more = look.say(" (and {count} more: {key})", count=len(grave) - 1, key=doctor) if len(grave) > 1 else ""
    word = "FAULT" if tone_of(grave[0].severity) is Tone.BAD else "DEGRADED"
    return look.say(word), grave[0].text + more, tone_of(grave[0].severity)


def clock(snapshot: Snapshot) -> str:
    """When the snapshot was, on this place's clock."""
    return snapshot.at.astimezone().strftime("%H:%M:%S")


def before(look: Look, snapshot: Snapshot) -> str:
    """How long ago the plan in force was issued."""
    issued = ago(snapshot.plan_issued_at, snapshot.at)
    if not issued.endswith(" ago"):
        return look.say(issued)
    return look.say("{time} ago", time=issued.removesuffix(" ago"))


def happening(one: Happening, look: Look) -> Line:
    """When, and what."""
    text = look.say(one.text, **one.about) if one.about else look.say(one.text)
    return Span(f"{one.at.astimezone():%H:%M:%S}  ", Tone.DIM), Span(text, one.tone)


def counts(snapshot: Snapshot, look: Look) -> Iterator[tuple[str, str]]:
    """The tables that are not wholly applied, each with why."""
    for name, count in sorted(snapshot.tables.items()):
        if count.failed:
            yield name, look.say("{count} failed: {reason}", count=count.failed, reason=count.reason)
        elif count.waiting:
            yield name, look.say("{count} waiting: {reason}", count=count.waiting, reason=count.reason)
