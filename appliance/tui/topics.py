# SPDX-License-Identifier: Apache-2.0
"""What each screen asks the daemon for while it is looked at, and how often. Pure.

Nothing is asked for a screen that nobody sees, so a daemon without visitors has nothing to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.tui.page import Name
from appliance.tui.state import Known
from appliance.tui.ui import Ui

#: This one is looked up beside the screen and not at the daemon: where a report can be written to.
PLACES = "places"


@dataclass(frozen=True)
class Topic:
    """An operation of the status socket, and the seconds between two askings; None: once for each plan."""

    op: str
    every: float | None
    root: bool = False


#: What is asked for once is asked for again after a failure, and when it may be another, in seconds.
_AGAIN, _SOON = 10.0, 1.0

_TOPICS: Mapping[Name, tuple[Topic, ...]] = {
    Name.OVERVIEW: (Topic("uplinks", 10.0),),
    Name.TUNNELS: (Topic("peers", 10.0),),
    Name.DNS: (Topic("dns", 5.0),),
    Name.PODS: (Topic("pods", 10.0),),
    Name.PLAN: (Topic("plan", None),),
    Name.LOGS: (Topic("logs", 2.0),),
    Name.ENROL: (Topic("keys", 30.0, root=True),),
    Name.SUPPORT: (Topic(PLACES, 5.0),),
}
ALL = tuple(topic for topics in _TOPICS.values() for topic in topics)


def topics(ui: Ui) -> tuple[Topic, ...]:
    """Those of the screen that one is on, or that one looks at a detail of."""
    names = (ui.page, *ui.back[-1:])
    return tuple(topic for name in names for topic in _TOPICS.get(name, ()) if ui.root or not topic.root)


def due(topic: Topic, known: Known, asked: float | None, now: float) -> bool:
    """Whether to ask; `asked` is when it was asked last (the same clock as `now`)."""
    if asked is None:
        return True
    if topic.every is None:
        return known.plan is None and now - asked > (_AGAIN if topic.op in known.unanswered else _SOON)
    return now - asked >= topic.every


def fields(topic: Topic, known: Known) -> Mapping[str, Any]:
    """What goes with the question."""
    if topic.op == "logs":
        return {"run": known.journal.run, "after": known.journal.newest}
    return {}
