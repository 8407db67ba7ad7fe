# SPDX-License-Identifier: Apache-2.0
"""Do something once nothing has happened for a while."""

import asyncio
from collections.abc import Callable


class WhenQuiet:
    """Calls `action` once, `delay` seconds after the last `busy`; no timer runs while it is quiet."""

    def __init__(self, delay: float, action: Callable[[], None]) -> None:
        self._delay = delay
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def busy(self) -> None:
        """Something happened: the time starts anew."""
        self.close()
        self._timer = asyncio.get_running_loop().call_later(self._delay, self._action)

    def close(self) -> None:
        """Call nothing any more, until it is busy again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
