# SPDX-License-Identifier: Apache-2.0
"""When to pass again over tables of which one failed: soon, then ever later."""

from collections.abc import Mapping

from appliance.netcore.plan.exchange import PhaseCount


class Retries:
    """Waits of `first` seconds, doubled at each pass that fails in a row, up to `most`.

    What only waits for something is not tried again by the clock: its event, or the resync, wakes the loop.
    """

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._wait = first

    def after(self, tables: Mapping[str, PhaseCount], now: float) -> float | None:
        """The time of the next pass after one that left `tables` behind; None if nothing failed."""
        if not any(count.failed for count in tables.values()):
            self._wait = self._first
            return None
        wait, self._wait = self._wait, min(2 * self._wait, self._most)
        return now + wait
