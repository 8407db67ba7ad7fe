# SPDX-License-Identifier: Apache-2.0
"""The daemon's log on standard error: lines for people, or JSON objects for programs."""

import json
import logging
import sys
from datetime import UTC, datetime

from appliance.settings import Log

#: No time stamps: the journal has its own.
_TEXT = "%(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One object a record: `time`, `level`, `logger`, `message`, and `error` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start(settings: Log) -> None:
    """Log as the owner of the device wants it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler])
    # One line a request would be the loudest thing in the log of a healthy device.
    logging.getLogger("httpx").setLevel(logging.WARNING)
