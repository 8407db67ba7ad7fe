# SPDX-License-Identifier: Apache-2.0
"""The end of the daemon's own log, kept in memory for who asks over the status socket.

It is bounded twice: so many lines, and so many characters of each.
"""

import logging
import secrets
from collections import deque
from datetime import UTC, datetime

from appliance.status.views import LogLine, Logs

KEPT = 400
LONGEST = 400


class LogRing(logging.Handler):
    """Holds the newest lines. `run` tells one start of the daemon from another."""

    def __init__(self) -> None:
        super().__init__()
        self._run = secrets.token_hex(4)
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line. A record that can't be put into words is not worth an error of its own."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        self._number += 1
        at = datetime.fromtimestamp(record.created, UTC)
        name = record.name.removeprefix("appliance.")
        line = LogLine(self._number, at, record.levelname.lower(), name, text[:LONGEST])
        self._lines.append(line)

    def since(self, run: str = "", after: int = 0) -> Logs:
        """The lines after that number, if it is of this run; or else all that are kept."""
        newest = after if run == self._run else 0
        return Logs(self._run, tuple(line for line in self._lines if line.number > newest))
