# SPDX-License-Identifier: Apache-2.0
"""Tunnels: to whom, by which way, are they up by the probe through them, and what goes through. Pure."""

from collections.abc import Iterator

from appliance.status.model import Tunnel
from appliance.status.views import PeerWay, Probed, Reinitiated
from appliance.status.words import duration, size
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import RESYNC, facts, heads, milliseconds, title
from appliance.tui.state import Known, Rates
from appliance.tui.text import EMPTY, Line, Span, spark, table

_HEAD = ("TUNNEL", "PATH", "STATE", "RTT", "LOSS", "IN/s", "OUT/s", "SA AGE", "TRAFFIC")
_WIDE_HEAD = ("TUNNEL", "PATH", "STATE", "RTT", "LOSS", "IN/s", "IN", "OUT/s", "OUT", "SA AGE", "REMOTE")
_PEERS = ("PEER", "ROLE", "PATH", "BY", "STATE")
_SPARK, _WIDE_SPARK = 10, 16
_WIDE = 112
_PROBE = Action("p", "probe", "probe", changes=True, of_row=True)
_ANEW = Action("i", "re-initiate", "reinitiate", ask=True, changes=True, of_row=True)


def page(known: Known, width: int, look: Look) -> Page:
    """One row a tunnel, with its reason below; `*` marks the one that carries the site's traffic."""
    head, made = tunnel_rows(known, width, look)
    behind = _behind(known, width, look)
    empty = look.say("no tunnel is in the plan")
    return Page((head,) if made else (), (*made, *behind), empty, (_ANEW, _PROBE, RESYNC))


def tunnel_rows(known: Known, width: int, look: Look) -> tuple[Line, tuple[Row, ...]]:
    """The head of the table of tunnels, and a row for each."""
    tunnels = sorted(known.snapshot.tunnels.items()) if known.snapshot else []
    wide = width >= _WIDE
    cells = [
        (_wide_cells if wide else _cells)(name, tunnel, known.rates.get(name, Rates()), look)
        for name, tunnel in tunnels
    ]
    head, lines = table(heads(look, _WIDE_HEAD if wide else _HEAD), cells, width)
    return head, tuple(
        Row(
            (line, *_reason(tunnel)),
            key=name,
            problem=not tunnel.up,
            detail=_detail(name, tunnel, known, width, look),
        )
        for (name, tunnel), line in zip(tunnels, lines, strict=True)
    )


def _reason(tunnel: Tunnel) -> tuple[Line, ...]:
    return ((Span("    " + tunnel.reason, Tone.WARN if tunnel.up else Tone.BAD),),) if tunnel.reason else ()


def _start(name: str, tunnel: Tunnel, look: Look) -> list[Span]:
    return [
        Span(f"{name} *" if tunnel.chosen else name),
        Span(look.say(str(tunnel.path)) if tunnel.path else "-"),
        Span(look.say("up"), Tone.GOOD) if tunnel.up else Span(look.say("DOWN"), Tone.BAD),
        Span(milliseconds(tunnel.rtt)),
        Span("-" if tunnel.loss is None else f"{tunnel.loss:.0%}", Tone.WARN if tunnel.loss else Tone.PLAIN),
    ]


def _age(tunnel: Tunnel) -> Span:
    return Span("-" if tunnel.established is None else duration(tunnel.established))


def _cells(name: str, tunnel: Tunnel, rates: Rates, look: Look) -> list[Span]:
    both = [a + b for a, b in zip(rates.into, rates.out, strict=True)][-_SPARK:]
    return [
        *_start(name, tunnel, look),
        Span(f"{size(rates.into[-1])}" if rates.into else "-"),
        Span(f"{size(rates.out[-1])}" if rates.out else "-"),
        _age(tunnel),
        Span(spark(both, look)),
    ]


def _wide_cells(name: str, tunnel: Tunnel, rates: Rates, look: Look) -> list[Span]:
    return [
        *_start(name, tunnel, look),
        Span(f"{size(rates.into[-1])}" if rates.into else "-"),
        Span(spark(rates.into[-_WIDE_SPARK:], look)),
        Span(f"{size(rates.out[-1])}" if rates.out else "-"),
        Span(spark(rates.out[-_WIDE_SPARK:], look)),
        _age(tunnel),
        Span(tunnel.remote or "-"),
    ]


def _behind(known: Known, width: int, look: Look) -> tuple[Row, ...]:
    """The peers that have no tunnel of their own with this device, and whose they are reached by."""
    if known.snapshot is None or known.peers is None:
        return ()
    others = [peer for peer in known.peers.peers if peer.name not in known.snapshot.tunnels]
    if not others:
        return ()
    left = known.peers.count - len(known.peers.peers)
    name = look.say("Peers behind them") + (f" (+{left})" if left else "")
    head, lines = table(heads(look, _PEERS), [_peer(peer, look) for peer in others], width)
    found = [
        Row((one,), key=peer.name, problem=not peer.up, detail=_peer_detail(peer, known, width, look))
        for peer, one in zip(others, lines, strict=True)
    ]
    return (Row((EMPTY, title(name, width, look), head)), *found)


def _peer(peer: PeerWay, look: Look) -> list[Span]:
    return [
        Span(peer.name),
        Span(look.say(str(peer.role))),
        Span(look.say(str(peer.path))),
        Span(peer.via or "-"),
        Span(look.say("up"), Tone.GOOD) if peer.up else Span(look.say("DOWN"), Tone.BAD),
    ]


def _peer_detail(peer: PeerWay, known: Known, width: int, look: Look) -> tuple[Line, ...]:
    return facts(
        look,
        (
            ("peer", peer.name),
            ("role", look.say(str(peer.role))),
            ("path", look.say(str(peer.path))),
            ("by", peer.via),
            ("prefixes", ", ".join(peer.prefixes)),
            *_tried(known, peer.name, look),
        ),
        width,
    )


def _detail(name: str, tunnel: Tunnel, known: Known, width: int, look: Look) -> tuple[Line, ...]:
    rates = known.rates.get(name, Rates())
    room = max(1, width - 14)
    carries = look.say("carries the site's traffic") if tunnel.chosen else look.say("stands by")
    return facts(
        look,
        (
            ("peer", name),
            ("path", look.say(str(tunnel.path)) if tunnel.path else "-"),
            ("state", look.say("up") if tunnel.up else look.say("DOWN")),
            ("reason", tunnel.reason),
            ("traffic", carries),
            ("round trip", milliseconds(tunnel.rtt)),
            ("loss", "-" if tunnel.loss is None else f"{tunnel.loss:.0%}"),
            ("ends", f"{tunnel.local} {look.signs.arrow} {tunnel.remote}" if tunnel.remote else ""),
            ("IKE SA", _since(tunnel.established, look)),
            *_children(tunnel, look),
            ("received", f"{size(tunnel.bytes_in)} {spark(rates.into, look)}"[:room]),
            ("sent", f"{size(tunnel.bytes_out)} {spark(rates.out, look)}"[:room]),
            *_tried(known, name, look),
        ),
        width,
    )


def _since(seconds: float | None, look: Look) -> str:
    if seconds is None:
        return look.say("no SA")
    return look.say("established {time} ago", time=duration(seconds))


def _children(tunnel: Tunnel, look: Look) -> Iterator[tuple[str, str]]:
    for child in tunnel.children:
        moved = f"{size(child.bytes_in)} / {size(child.bytes_out)}"
        packets = f"{child.packets_in} / {child.packets_out}"
        text = "{name}: {state}, {time} old, in/out {bytes}, packets {packets}"
        about = {"name": child.name, "state": child.state, "time": duration(child.age)}
        yield "CHILD SA", look.say(text, **about, bytes=moved, packets=packets)


def _tried(known: Known, name: str, look: Look) -> Iterator[tuple[str, str]]:
    """What came of the actions here."""
    probed: Probed | None = known.probed.get(name)
    if probed is not None:
        times = ", ".join(milliseconds(rtt) for rtt in probed.rtts) or look.say("nothing came back")
        large = look.say("yes") if probed.large else look.say("NO")
        yield "probed", f"{probed.address}: {len(probed.rtts)}/{probed.sent}: {times}"
        yield "full size", look.say("{size} bytes: {passes}", size=probed.size, passes=large)
    anew: Reinitiated | None = known.reinitiated.get(name)
    if anew is not None:
        yield "made anew", f"{anew.seconds:.1f} s" if anew.up else anew.reason
