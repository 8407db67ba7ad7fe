# SPDX-License-Identifier: Apache-2.0
"""Pods and CNI: which pods stand on this device, and the network that they stand on. Pure."""

from collections.abc import Iterator

from appliance.status.views import Pod, PodNetwork, Range
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages.parts import RESYNC, fact, facts, heads, told
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, table

_HEAD = ("POD", "SEEN", "ADDRESSES")
_CONFLIST = {
    "ok": ("is as planned", Tone.GOOD),
    "missing": ("is not there", Tone.BAD),
    "differs": ("is not as planned", Tone.BAD),
}
_SHORT = 12
#: Neighbours that the kernel asked for and did not find.
_LOST = ("failed", "incomplete")
_UNCOUNTABLE = 1 << 32


def page(known: Known, width: int, look: Look) -> Page:
    """The network in a few lines, then a row a pod; Enter has all of it."""
    network = known.pods
    if network is None:
        return Page(empty=told(look, known, "pods"), actions=(RESYNC,))
    if network.conflist == "none":
        return Page(empty=look.say("the plan has no pod network for this device"), actions=(RESYNC,))
    head, lines = table(heads(look, _HEAD), [_cells(pod, look) for pod in network.pods], width)
    made = tuple(
        Row((one,), key=pod.container, problem=pod.neighbour in _LOST, detail=_detail(pod, width, look))
        for pod, one in zip(network.pods, lines, strict=True)
    )
    top = (*_facts(network, width, look), EMPTY, *((head,) if made else ()))
    return Page(top, made, look.say("no pod has an address yet"), (RESYNC,))


def _facts(network: PodNetwork, width: int, look: Look) -> Iterator[Line]:
    text, tone = _CONFLIST.get(network.conflist, (network.conflist, Tone.WARN))
    yield fact(look, "Conflist", f"{look.say(text)}: {network.file}", tone)
    if network.others:
        others = ", ".join(network.others)
        yield fact(look, "", look.say("runtimes take {file} before it", file=others), Tone.BAD)
    yield _bridge(network, look)
    yield _mtu(network, look)
    yield from facts(look, (("Ranges", ", ".join(_range(one, look) for one in network.ranges)),), width)


def _bridge(network: PodNetwork, look: Look) -> Line:
    if not network.bridge_mtu:
        return fact(look, "Bridge", look.say("{name}: made with the first pod", name=network.bridge))
    state = look.say("up") if network.bridge_up else look.say("DOWN")
    text = look.say(
        "{name} {state}, {links} ends of pods", name=network.bridge, state=state, links=network.links
    )
    addresses = f", {', '.join(network.addresses)}" if network.addresses else ""
    return fact(look, "Bridge", text + addresses, Tone.GOOD if network.bridge_up else Tone.BAD)


def _mtu(network: PodNetwork, look: Look) -> Line:
    if network.bridge_mtu and network.bridge_mtu != network.mtu:
        about = {"now": network.bridge_mtu, "plan": network.mtu}
        return fact(look, "MTU", look.say("{now}, the plan has {plan}", **about), Tone.WARN)
    return fact(look, "MTU", str(network.mtu))


def _range(one: Range, look: Look) -> str:
    if one.size >= _UNCOUNTABLE:
        return look.say("{prefix} ({used} used)", prefix=one.prefix, used=one.used)
    return look.say("{prefix} ({used} of {size} used)", prefix=one.prefix, used=one.used, size=one.size)


def _cells(pod: Pod, look: Look) -> list[Span]:
    lost = pod.neighbour in _LOST
    return [
        Span(pod.name or pod.container[:_SHORT]),
        Span(look.say(pod.neighbour) if pod.neighbour else "-", Tone.WARN if lost else Tone.PLAIN),
        Span(", ".join(pod.addresses)),
    ]


def _detail(pod: Pod, width: int, look: Look) -> tuple[Line, ...]:
    return facts(
        look,
        (
            ("pod", pod.name or look.say("the runtime left no name")),
            ("container", pod.container),
            ("interface", pod.interface),
            ("addresses", ", ".join(pod.addresses)),
            ("MAC", pod.mac),
            ("seen", look.say(pod.neighbour) if pod.neighbour else look.say("not spoken to yet")),
        ),
        width,
    )
