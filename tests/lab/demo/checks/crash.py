# SPDX-License-Identifier: Apache-2.0
"""`agent-crash`: the agent is not in the data path, neither dead nor coming back."""

import re

from tests.lab.demo.check import expect
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.residue import differences, look
from tests.lab.traffic import Stream
from tests.lab.wait import until

_EVERY = 0.05  # seconds: 20 echo requests a second
_WHILE = 60  # replies in each phase: 3 s

#: `connector-1: #3, ESTABLISHED` and, indented, `site: #5, reqid 2, INSTALLED`.
_ASSOCIATION = re.compile(r"^ *(\S+): #(\d+), ", re.MULTILINE)


def agent_crash(world: World) -> str:
    """`kill -9` of shop1's agent under steady traffic; some time without it; its restart."""
    shop = world.devices["shop1"]
    streams = [
        world.stream("shop1", world.pods["cloud"].v4, _EVERY),
        world.stream("shop1", world.pods["shop2"].v6, _EVERY),
    ]
    for stream in streams:
        stream.wait_for_replies(_WHILE // 2, 10)
    associations, state = _associations(shop), look(shop.ns)
    expect(bool(associations), "shop1's charon names no SA, so nothing could be compared")
    shop.kill(Daemon.AGENT)
    _go_on(streams)
    shop.start(Daemon.AGENT)
    until(lambda: shop.status().get("hub"), "the new agent knows its hub", 20, 0.3)
    _go_on(streams)
    tallies = [stream.stop() for stream in streams]
    lost = sum(tally.lost for tally in tallies)
    expect(lost == 0, f"{lost} of {sum(tally.sent for tally in tallies)} echo requests lost")
    torn = associations - _associations(shop)
    expect(not torn, f"SAs torn down: {sorted(torn)}")
    changed = differences(state, look(shop.ns))
    expect(not changed, f"not as it was before: {'; '.join(changed[:5])}")
    sent = sum(tally.sent for tally in tallies)
    return f"0 of {sent} lost; the same {len(associations)} SAs, and no route, rule or chain changed"


def _go_on(streams: list[Stream]) -> None:
    """Let every stream have some more replies."""
    goals = [len(stream.replies()) + _WHILE for stream in streams]
    for stream, goal in zip(streams, goals, strict=True):
        stream.wait_for_replies(goal, 10)


def _associations(device: Device) -> frozenset[tuple[str, ...]]:
    """charon's SAs by name and number; a number is never used again."""
    return frozenset(_ASSOCIATION.findall(device.security_associations()))
