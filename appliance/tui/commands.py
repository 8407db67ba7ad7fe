# SPDX-License-Identifier: Apache-2.0
"""The commands behind `:` and behind the letters, and what they want done outside. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.status.offer import NoTokenError, read_offer
from appliance.tui.look import Tone
from appliance.tui.page import NUMBERED, Name
from appliance.tui.ui import Notice, Ui, go, place


@dataclass(frozen=True)
class Quit:
    """End the terminal."""


@dataclass(frozen=True)
class Repaint:
    """Something else wrote on the screen: paint all of it again."""


@dataclass(frozen=True)
class Ask:
    """A request to the daemon; `said` is shown once it is carried out. The fields may hold a token."""

    op: str
    said: str
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Report:
    """Have the daemon pack a report, and write it to a file, or into a directory that ends with `/`."""

    path: str


@dataclass(frozen=True)
class Save:
    """Write all that is known to a file."""

    path: str


Effect = Quit | Repaint | Ask | Save | Report

ROOT_ONLY = "that changes something, or looks deep: start `orillo tui` with sudo"
_EXAMINING = "examining: this takes up to 10 s ..."
_NEEDS_ROOT = ("resync", "enrol", "enroll", "agree", "probe", "reinitiate", "report", "examine")


def execute(ui: Ui, text: str) -> tuple[Ui, tuple[Effect, ...]]:
    """Carry out one command as typed."""
    verb, _, rest = text.strip().partition(" ")
    verb, rest = verb.casefold(), rest.strip()
    screen = _screen(verb)
    if verb in _NEEDS_ROOT and not ui.root:
        return _say(ui, ROOT_ONLY), ()
    if verb in ("path", "why") and rest:
        return _path(ui, rest)
    if verb in ("enrol", "enroll") and rest:
        return _offer(ui, rest), ()
    if verb in _OF_PEER:
        return _of_peer(ui, verb, rest)
    if screen is not None:
        return go(ui, screen), ()
    return _other(ui, verb, rest)


_OF_PEER = {
    "probe": "probing {peer} ...",
    "reinitiate": "ending the tunnel to {peer}, making it anew ...",
}


def _of_peer(ui: Ui, verb: str, peer: str) -> tuple[Ui, tuple[Effect, ...]]:
    if not peer:
        return _say(ui, "for which peer?"), ()
    return replace(ui, notice=Notice(_OF_PEER[verb], about={"peer": peer})), (Ask(verb, "", {"peer": peer}),)


def _other(ui: Ui, verb: str, rest: str) -> tuple[Ui, tuple[Effect, ...]]:
    match verb:
        case "":
            return ui, ()
        case "q" | "quit" | "exit":
            return ui, (Quit(),)
        case "filter":
            return place(replace(ui, search=rest), 0), ()
        case "refuse":
            return _say(replace(ui, offer=None), "the token was not used"), ()
        case "agree" if ui.offer is not None:
            ask = Ask("enroll", "enrolled; the plan comes by itself", {"token": ui.offer.text})
            return _say(replace(ui, offer=None), "enrolling ..."), (ask,)
        case "resync":
            return _say(ui, "asked the daemon to look again"), (Ask("resync", "the daemon looks again"),)
        case "lookup" if rest:
            return _say(go(ui, Name.DNS), "asking the cache ..."), (
                Ask("lookup", "answered", {"name": rest}),
            )
        case "lookup":
            return _say(ui, "which name? :lookup NAME"), ()
        case "report" if rest:
            return _say(ui, "packing a report: this takes up to 20 s ..."), (Report(rest),)
        case "report":
            return _say(ui, "to which file? :report FILE"), ()
        case "examine":
            return _say(go(ui, Name.DOCTOR), _EXAMINING), (
                Ask("doctor", "examined; below is what was found"),
            )
        case "save" if rest:
            return ui, (Save(rest),)
        case "save":
            return _say(ui, "save to which file? :save FILE"), ()
    text = "there is no command {verb}: ? shows what there is"
    return replace(ui, notice=Notice(text, about={"verb": repr(verb)})), ()


def _screen(verb: str) -> Name | None:
    """The screen whose name begins with what was typed."""
    beside = {"help": Name.HELP, "logs": Name.LOGS, "log": Name.LOGS, "code": Name.CODE, "qr": Name.CODE}
    if verb in beside:
        return beside[verb]
    names = [name for name in NUMBERED if len(verb) > 1 and name.value.casefold().startswith(verb)]
    return names[0] if names else None


def _path(ui: Ui, rest: str) -> tuple[Ui, tuple[Effect, ...]]:
    """To B, or from A to B, with a port or without."""
    words = rest.split()
    if len(words) == 1 and words[0].count(":") == 1:
        words = words[0].split(":")  # web:80; an IPv6 address has more of these
    port = int(words.pop()) if len(words) > 1 and words[-1].isdecimal() else None
    if len(words) not in (1, 2):
        return replace(go(ui, Name.PATH), target=rest), ()
    a, b = words if len(words) == 2 else ("self", words[0])
    ui = go(ui, Name.PATH)
    if not ui.root:
        # Without the agent's help the status still tells of the far end.
        far = b if port is None else f"{b}:{port}"
        return replace(ui, target=far, notice=Notice(ROOT_ONLY) if len(words) == 2 else None), ()
    fields = {"a": a, "b": b} | ({} if port is None else {"port": port})
    ui = replace(ui, target=" ".join(map(str, fields.values())))
    return _say(ui, "walking the path ..."), (Ask("why", "It holds, as far as this device can see.", fields),)


def _offer(ui: Ui, text: str) -> Ui:
    try:
        offer = read_offer(text)
    except NoTokenError as error:
        return _say(go(ui, Name.ENROL), str(error), Tone.BAD)
    return replace(go(ui, Name.ENROL), offer=offer, notice=None)


def _say(ui: Ui, text: str, tone: Tone = Tone.PLAIN) -> Ui:
    return replace(ui, notice=Notice(text, tone))
