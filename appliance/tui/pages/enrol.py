# SPDX-License-Identifier: Apache-2.0
"""Enrol: make this device a member, after a look at whom it would trust. Pure."""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.status.offer import Offer
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import fact, facts
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, line

_TOKEN = Action("t", "type or paste a token", "enrol ", ask=True, changes=True)
_AGREE = (
    Action("y", "yes, enrol", "agree", changes=True),
    Action("n", "no", "refuse"),
)


def page(known: Known, offer: Offer | None, width: int, _look: Look) -> Page:
    """Who this device is; and with a token, what to compare before it is used."""
    if offer is not None:
        return Page(rows=_rows(_offered(offer, width)), actions=_AGREE)
    if known.snapshot is None:
        return Page(empty="the daemon does not answer: start it with `orillo run`, then enrol here")
    return Page(rows=_rows(_member(known.snapshot, width)), actions=(_TOKEN,))


def _rows(lines: Iterator[Line]) -> tuple[Row, ...]:
    return tuple(Row((one,)) for one in lines)


def _offered(offer: Offer, width: int) -> Iterator[Line]:
    yield line("Compare with what your operator shows, then answer y or n.", Tone.STRONG)
    yield EMPTY
    yield from facts((("Operator", offer.url),), width)
    for index, part in enumerate(grouped(offer.ca_pin)):
        yield fact("" if index else "CA pin", part, Tone.STRONG)
    yield EMPTY
    yield from (line("This device makes a new key of its own; it never leaves the device."),)
    yield line("The token works once, and is spent by this.")


def _member(snapshot: Snapshot, width: int) -> Iterator[Line]:
    identity = snapshot.identity
    if identity is None:
        yield line("This device is not enrolled.", Tone.WARN)
        yield EMPTY
        yield line("Ask the operator for a token (`orillo-cloud token create --name NAME`).")
        yield line("Then press t, and paste or type it.")
        return
    yield line("This device is enrolled.", Tone.GOOD)
    yield EMPTY
    yield from facts(
        (
            ("Name", identity.name),
            ("Cluster", identity.cluster),
            ("Instance", identity.instance),
            ("IKE id", identity.ike_id),
            ("Operator", snapshot.control.url),
        ),
        width,
    )
    yield EMPTY
    yield line("A new token replaces this identity: the tunnels of the old one end.", Tone.DIM)


def grouped(pin: str) -> Iterator[str]:
    """A fingerprint as people compare it: groups of four, eight in a line."""
    groups = [pin[start : start + 4] for start in range(0, len(pin), 4)]
    for start in range(0, len(groups), 8):
        yield " ".join(groups[start : start + 8])
