# SPDX-License-Identifier: Apache-2.0
"""Services: who answers now, from how near, and who could. Pure."""

from appliance.status.model import Backend, ServicePort
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages.parts import RESYNC, fact, heads
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, table

_HEAD = ("SERVICE", "ANSWERED BY", "ALIVE", "ADDRESS")
_BACKENDS = ("BACKEND", "TIER", "NODE", "HEALTH", "USE")


def page(known: Known, width: int, look: Look) -> Page:
    """One row a port of a service; Enter shows its backends."""
    services = sorted(known.snapshot.services.items()) if known.snapshot else []
    head, lines = table(heads(look, _HEAD), [_cells(name, port, look) for name, port in services], width)
    made = tuple(
        Row((line,), key=name, problem=_wrong(port), detail=_detail(name, port, width, look))
        for (name, port), line in zip(services, lines, strict=True)
    )
    return Page((head,) if made else (), made, look.say("no service is in the plan"), (RESYNC,))


def _wrong(port: ServicePort) -> bool:
    return port.tier is None or not all(backend.alive for backend in port.backends)


def _cells(name: str, port: ServicePort, look: Look) -> list[Span]:
    alive = sum(backend.alive for backend in port.backends)
    tone = Tone.PLAIN if alive == len(port.backends) else Tone.WARN
    return [
        Span(name),
        Span(look.say(str(port.tier)), Tone.GOOD) if port.tier else Span(look.say("NOBODY"), Tone.BAD),
        Span(f"{alive}/{len(port.backends)}", tone),
        Span(f"{', '.join(port.addresses)} {port.protocol}/{port.port}"),
    ]


def _detail(name: str, port: ServicePort, width: int, look: Look) -> tuple[Line, ...]:
    cells = [_backend(backend, look) for backend in port.backends]
    head, lines = table(heads(look, _BACKENDS), cells, width)
    if port.tier:
        answered = look.say("by the tier {tier}", tier=look.say(str(port.tier)))
    else:
        answered = look.say("by nobody: no backend is alive")
    return (
        fact(look, "service", name),
        fact(look, "address", f"{', '.join(port.addresses)} {port.protocol}/{port.port}"),
        fact(look, "answered", answered),
        EMPTY,
        head,
        *lines,
    )


def _backend(backend: Backend, look: Look) -> list[Span]:
    return [
        Span(f"{backend.address}:{backend.port}"),
        Span(look.say(str(backend.tier))),
        Span(backend.node or "-"),
        Span(look.say("alive"), Tone.GOOD) if backend.alive else Span(look.say("DEAD"), Tone.BAD),
        Span(look.say("gets new connections") if backend.used else ""),
    ]
