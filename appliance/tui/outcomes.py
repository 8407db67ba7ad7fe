# SPDX-License-Identifier: Apache-2.0
"""What an answer to an action comes to, in a sentence. Pure."""

from collections.abc import Mapping
from typing import Any

from appliance.tui.look import Tone
from appliance.tui.state import Known
from appliance.tui.ui import Notice


def outcome(known: Known, op: str, fields: Mapping[str, Any], said: str) -> Notice:
    """By what is known after the answer; `said` is the sentence of those that have no figures."""
    peer = str(fields.get("peer", ""))
    if op == "probe" and peer in known.probed:
        return _probed(known, peer)
    if op == "reinitiate" and peer in known.reinitiated:
        return _anew(known, peer)
    if op == "why" and known.walk is not None and known.walk.breaks:
        return Notice("It breaks at: {step}.", Tone.BAD, {"step": known.walk.breaks})
    return Notice(said, Tone.GOOD)


def _probed(known: Known, peer: str) -> Notice:
    found = known.probed[peer]
    about = {"peer": peer, "back": len(found.rtts), "sent": found.sent, "size": found.size}
    if not found.rtts:
        return Notice("{peer}: nothing came back of {sent} echoes", Tone.BAD, about)
    about |= {"ms": f"{min(found.rtts) * 1000:.1f}"}
    if not found.large:
        text = "{peer}: {back} of {sent} echoes in {ms} ms, but none of {size} bytes"
        return Notice(text, Tone.WARN, about)
    tone = Tone.GOOD if len(found.rtts) == found.sent else Tone.WARN
    return Notice("{peer}: {back} of {sent} echoes in {ms} ms, {size} bytes pass", tone, about)


def _anew(known: Known, peer: str) -> Notice:
    found = known.reinitiated[peer]
    about: dict[str, object] = {"peer": peer, "seconds": f"{found.seconds:.1f}", "reason": found.reason}
    if found.up:
        return Notice("{peer}: a new tunnel is up after {seconds} s", Tone.GOOD, about)
    return Notice("{peer}: no new tunnel within {seconds} s: {reason}", Tone.BAD, about)


def progress(op: str, part: Mapping[str, Any], count: int) -> Notice | None:
    """How far an answer has come that is told in parts."""
    if op == "doctor":
        return Notice(
            "examining: {count} checks done, last {check}",
            about={"count": count, "check": part.get("check", "?")},
        )
    return None
