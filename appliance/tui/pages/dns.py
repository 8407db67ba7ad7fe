# SPDX-License-Identifier: Apache-2.0
"""DNS: how the name cache does, what it waits for, what it says to a question, and what it has of its own.
Pure.
"""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.status.views import Lookup, NameCache, Source, Waiting
from appliance.status.words import duration
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import RESYNC, fact, facts, heads, milliseconds, title, told
from appliance.tui.state import Known
from appliance.tui.text import Line, Span, table

_NAMES = ("NAME", "ADDRESSES")
_WAITING = ("NAME", "KIND", "FOR", "STATE")
_LOOK_UP = Action("l", "look up a name", "lookup ", ask=True)
#: In words; the last is with what unbound had before its name servers went silent.
_FROM = {
    Source.PLAN: "from the plan",
    Source.CACHE: "from the cache",
    Source.EXPIRED: "from the cache, expired: nobody above answers",
    Source.FORWARD: "asked for above",
    Source.NOBODY: "no answer",
}


def page(known: Known, width: int, look: Look) -> Page:
    """The cache in figures, then what was asked here, what is slow, and what it answers with no uplink."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty=look.say("nothing is known of the name cache yet"))
    head = (_cache(snapshot, look), *_figures(known, width, look))
    made = (*_asked(known, width, look), *_slow(known, width, look), *_own(snapshot, width, look))
    return Page(head, made, look.say("no name is in the plan"), (_LOOK_UP, RESYNC))


def _cache(snapshot: Snapshot, look: Look) -> Line:
    counts = [count for name, count in sorted(snapshot.tables.items()) if name.partition("-")[0] == "dns"]
    if not counts:
        text = "not set up: the plan has no DNS, or no pass was made yet"
        return fact(look, "Cache", look.say(text), Tone.WARN)
    for count in counts:
        if count.failed or count.waiting:
            tone = Tone.BAD if count.failed else Tone.WARN
            return fact(look, "Cache", look.say("not ready: {reason}", reason=count.reason), tone)
    return fact(look, "Cache", look.say("is as planned"), Tone.GOOD)


def _figures(known: Known, width: int, look: Look) -> Iterator[Line]:
    cache = known.dns
    if cache is None:
        yield fact(look, "Hit rate", told(look, known, "dns"), Tone.DIM)
        return
    yield fact(look, "Hit rate", _hits(cache, look))
    yield fact(look, "Speed", _speed(cache, look), Tone.WARN if cache.slow else Tone.PLAIN)
    servers = [_server(one.address, one.rtt, one.lapsed, look) for one in cache.servers]
    yield from facts(look, (("Asks", ", ".join(servers) or look.say("nobody yet")),), width)


def _hits(cache: NameCache, look: Look) -> str:
    answered = cache.hits + cache.misses
    if not answered:
        return look.say("nothing was asked yet")
    share = f"{cache.hits / answered:.0%}"
    text = "{share} of {count} in {time}; {expired} expired, {failed} failed"
    return look.say(
        text,
        share=share,
        count=answered,
        time=duration(cache.uptime),
        expired=cache.expired,
        failed=cache.failed,
    )


def _speed(cache: NameCache, look: Look) -> str:
    if cache.average is None:
        return look.say("nothing had to be asked for yet")
    text = "asked for: {average} on average, {median} in the middle, {slow} above 1 s"
    average, median = milliseconds(cache.average), milliseconds(cache.median)
    return look.say(text, average=average, median=median, slow=cache.slow)


def _server(address: str, rtt: float | None, lapsed: int, look: Look) -> str:
    silent = look.say(", {count} unanswered", count=lapsed) if lapsed else ""
    return f"{address} ({milliseconds(rtt)}{silent})"


def _asked(known: Known, width: int, look: Look) -> tuple[Row, ...]:
    if not known.lookups:
        return ()
    made = [Row((title(look.say("Looked up"), width, look),))]
    return (*made, *(_lookup(one, width, look) for one in known.lookups))


def _lookup(one: Lookup, width: int, look: Look) -> Row:
    said = ", ".join(one.addresses) or look.say(one.code or "no answer")
    wrong = not one.addresses
    how = f"{milliseconds(one.seconds)}, {look.say(_FROM[one.source])}"
    line = (
        Span(f"{one.name}  "),
        Span(said, Tone.WARN if wrong else Tone.GOOD),
        Span(f"  {how}", Tone.DIM),
    )
    pairs = (
        ("name", one.name),
        ("answer", said),
        ("code", one.code),
        ("time", milliseconds(one.seconds)),
        ("from", look.say(_FROM[one.source])),
        ("by", ", ".join(one.servers)),
        ("cache", one.server),
    )
    return Row((line,), key=f"lookup {one.name}", problem=wrong, detail=facts(look, pairs, width))


def _slow(known: Known, width: int, look: Look) -> tuple[Row, ...]:
    waiting = known.dns.waiting if known.dns else ()
    if not waiting:
        return ()
    head, lines = table(heads(look, _WAITING), [_wait(one) for one in waiting], width)
    first = Row((title(look.say("Slow: asked for, and not answered yet"), width, look), head))
    return (first, *(Row((line,), problem=True) for line in lines))


def _wait(one: Waiting) -> list[Span]:
    return [Span(one.name), Span(one.kind), Span(f"{one.seconds:.1f} s", Tone.WARN), Span(one.asked)]


def _own(snapshot: Snapshot, width: int, look: Look) -> tuple[Row, ...]:
    names = {name.partition(":")[0]: port.addresses for name, port in sorted(snapshot.services.items())}
    if not names:
        return ()
    cells = [[Span(_dotted(name)), Span(", ".join(addresses))] for name, addresses in names.items()]
    head, lines = table(heads(look, _NAMES), cells, width)
    first = Row((title(look.say("Answered with no uplink too"), width, look), head))
    return (first, *(Row((one,)) for one in lines))


def _dotted(name: str) -> str:
    namespace, _, service = name.rpartition("/")
    return f"{service}.{namespace}.svc" if namespace else service
