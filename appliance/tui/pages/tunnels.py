# SPDX-License-Identifier: Apache-2.0
"""Tunnels: to whom, are they up by the probe through them, and what goes through. Pure."""

from appliance.status.model import Tunnel
from appliance.status.words import duration, size
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages.parts import RESYNC, facts, milliseconds
from appliance.tui.state import Known, Rates
from appliance.tui.text import Line, Span, spark, table

_HEAD = ("TUNNEL", "STATE", "RTT", "LOSS", "IN/s", "OUT/s", "SA AGE", "TRAFFIC")
_SPARK = 12


def page(known: Known, width: int, look: Look) -> Page:
    """One row a tunnel, with its reason below; `*` marks the one that carries the site's traffic."""
    tunnels = sorted(known.snapshot.tunnels.items()) if known.snapshot else []
    cells = [_cells(name, tunnel, known.rates.get(name, Rates()), look) for name, tunnel in tunnels]
    head, lines = table(_HEAD, cells, width)
    rows = tuple(
        Row((line, *_reason(tunnel)), key=name, problem=not tunnel.up, detail=_detail(name, tunnel, width))
        for (name, tunnel), line in zip(tunnels, lines, strict=True)
    )
    return Page((head,) if rows else (), rows, "no tunnel is in the plan", (RESYNC,))


def _reason(tunnel: Tunnel) -> tuple[Line, ...]:
    return ((Span("    " + tunnel.reason, Tone.WARN if tunnel.up else Tone.BAD),),) if tunnel.reason else ()


def _cells(name: str, tunnel: Tunnel, rates: Rates, look: Look) -> list[Span]:
    both = [a + b for a, b in zip(rates.into, rates.out, strict=True)][-_SPARK:]
    return [
        Span(f"{name} *" if tunnel.chosen else name),
        Span("up", Tone.GOOD) if tunnel.up else Span("DOWN", Tone.BAD),
        Span(milliseconds(tunnel.rtt)),
        Span("-" if tunnel.loss is None else f"{tunnel.loss:.0%}", Tone.WARN if tunnel.loss else Tone.PLAIN),
        Span(f"{size(rates.into[-1])}" if rates.into else "-"),
        Span(f"{size(rates.out[-1])}" if rates.out else "-"),
        Span("-" if tunnel.established is None else duration(tunnel.established)),
        Span(spark(both, look)),
    ]


def _detail(name: str, tunnel: Tunnel, width: int) -> tuple[Line, ...]:
    age = "no SA" if tunnel.established is None else f"established {duration(tunnel.established)} ago"
    return facts(
        (
            ("peer", name),
            ("state", "up: the probe through it is answered" if tunnel.up else "down"),
            ("reason", tunnel.reason),
            ("traffic", "carries the site's traffic" if tunnel.chosen else "stands by"),
            ("round trip", milliseconds(tunnel.rtt)),
            ("loss", "-" if tunnel.loss is None else f"{tunnel.loss:.0%} of the last probes"),
            ("IKE SA", age),
            ("received", size(tunnel.bytes_in)),
            ("sent", size(tunnel.bytes_out)),
        ),
        width,
    )
