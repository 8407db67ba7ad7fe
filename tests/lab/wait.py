# SPDX-License-Identifier: Apache-2.0
"""Wait for a condition with a deadline: the only way in which the lab waits."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOutError(Exception):
    """The condition did not come true in time; the text says which."""


def until(
    look: Callable[[], T],
    what: str,
    seconds: float,
    pause: float = 0.1,
    explain: Callable[[], str] = lambda: "",
) -> T:
    """Call `look` until it returns something true, and return that.

    `what` and the outcome of `explain` become the text of the `TimedOutError`. `pause` is in seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= deadline:
            reason = explain()
            raise TimedOutError(f"not within {seconds:g} s: {what}" + (f" ({reason})" if reason else ""))
        time.sleep(pause)


def hold(look: Callable[[], bool], what: str, seconds: float, pause: float = 0.1) -> None:
    """See that `look` stays true for that long; raises `TimedOutError` at the first look that it is not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            raise TimedOutError(f"did not hold for {seconds:g} s: {what}")
        time.sleep(pause)
