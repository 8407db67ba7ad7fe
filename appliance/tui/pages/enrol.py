# SPDX-License-Identifier: Apache-2.0
"""Enrol: make this device a member, after a look at whom it would trust, and by which key it is known.
Pure.
"""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.status.offer import Offer
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page
from appliance.tui.pages.parts import fact, facts, rows
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, line

_TOKEN = Action("t", "type or paste a token", "enrol ", ask=True, changes=True)
_AGREE = (
    Action("y", "yes, enrol", "agree", changes=True),
    Action("n", "no", "refuse"),
)


def page(known: Known, offer: Offer | None, width: int, look: Look) -> Page:
    """Who this device is; and with a token, what to compare before it is used."""
    if offer is not None:
        return Page(rows=rows(_offered(known, offer, width, look)), actions=_AGREE)
    if known.snapshot is None:
        text = "the daemon does not answer: start it with `orillo run`, then enrol here"
        return Page(empty=look.say(text))
    return Page(rows=rows(_member(known, known.snapshot, width, look)), actions=(_TOKEN,))


def _offered(known: Known, offer: Offer, width: int, look: Look) -> Iterator[Line]:
    yield line(look.say("Compare with what your operator shows, then answer y or n."), Tone.STRONG)
    yield EMPTY
    yield from facts(look, (("Operator", offer.url),), width)
    yield from _fingerprint("CA pin", offer.ca_pin, look)
    yield EMPTY
    if known.keys is not None:
        yield from _fingerprint("Device key", known.keys.next, look)
        yield EMPTY
    yield line(look.say("The key was made on this device, and never leaves it."))
    yield line(look.say("The token works once, and is spent by this."))


def _fingerprint(label: str, text: str, look: Look) -> Iterator[Line]:
    for index, part in enumerate(grouped(text)):
        yield fact(look, "" if index else label, part, Tone.STRONG)


def _member(known: Known, snapshot: Snapshot, width: int, look: Look) -> Iterator[Line]:
    identity = snapshot.identity
    if identity is None:
        yield line(look.say("This device is not enrolled."), Tone.WARN)
        yield EMPTY
        command = "`orillo-cloud token create --name NAME`"
        yield line(look.say("Ask the operator for a token ({command}).", command=command))
        yield line(look.say("Then press t, and paste or type it."))
        yield from _keys(known, look)
        return
    yield line(look.say("This device is enrolled."), Tone.GOOD)
    yield EMPTY
    yield from facts(
        look,
        (
            ("Name", identity.name),
            ("Cluster", identity.cluster),
            ("Instance", identity.instance),
            ("IKE id", identity.ike_id),
            ("Operator", snapshot.control.url),
        ),
        width,
    )
    yield from _keys(known, look)
    yield EMPTY
    yield line(look.say("A new token replaces this identity: the tunnels of the old one end."), Tone.DIM)


def _keys(known: Known, look: Look) -> Iterator[Line]:
    if known.keys is None:
        return
    if known.keys.current:
        yield EMPTY
        yield from _fingerprint("Key in use", known.keys.current, look)
    yield EMPTY
    yield from _fingerprint("Next key", known.keys.next, look)


def grouped(pin: str) -> Iterator[str]:
    """A fingerprint as people compare it: groups of four, eight in a line."""
    groups = [pin[start : start + 4] for start in range(0, len(pin), 4)]
    for start in range(0, len(groups), 8):
        yield " ".join(groups[start : start + 8])
