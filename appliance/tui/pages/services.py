# SPDX-License-Identifier: Apache-2.0
"""Services: who answers now, from how near, and who could. Pure."""

from appliance.status.model import Backend, ServicePort
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages.parts import RESYNC, fact
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, table

_HEAD = ("SERVICE", "ANSWERED BY", "ALIVE", "ADDRESS")


def page(known: Known, width: int, _look: Look) -> Page:
    """One row a port of a service; Enter shows its backends."""
    services = sorted(known.snapshot.services.items()) if known.snapshot else []
    head, lines = table(_HEAD, [_cells(name, port) for name, port in services], width)
    rows = tuple(
        Row((line,), key=name, problem=_wrong(port), detail=_detail(name, port, width))
        for (name, port), line in zip(services, lines, strict=True)
    )
    return Page((head,) if rows else (), rows, "no service is in the plan", (RESYNC,))


def _wrong(port: ServicePort) -> bool:
    return port.tier is None or not all(backend.alive for backend in port.backends)


def _cells(name: str, port: ServicePort) -> list[Span]:
    alive = sum(backend.alive for backend in port.backends)
    tone = Tone.PLAIN if alive == len(port.backends) else Tone.WARN
    return [
        Span(name),
        Span(str(port.tier), Tone.GOOD) if port.tier else Span("NOBODY", Tone.BAD),
        Span(f"{alive}/{len(port.backends)}", tone),
        Span(f"{', '.join(port.addresses)} {port.protocol}/{port.port}"),
    ]


def _detail(name: str, port: ServicePort, width: int) -> tuple[Line, ...]:
    head, lines = table(
        ("BACKEND", "TIER", "NODE", "HEALTH", "USE"), [_backend(backend) for backend in port.backends], width
    )
    return (
        fact("service", name),
        fact("address", f"{', '.join(port.addresses)} {port.protocol}/{port.port}"),
        fact("answered", f"by the tier {port.tier}" if port.tier else "by nobody: no backend is alive"),
        EMPTY,
        head,
        *lines,
    )


def _backend(backend: Backend) -> list[Span]:
    return [
        Span(f"{backend.address}:{backend.port}"),
        Span(str(backend.tier)),
        Span(backend.node or "-"),
        Span("alive", Tone.GOOD) if backend.alive else Span("DEAD", Tone.BAD),
        Span("gets new connections" if backend.used else ""),
    ]
