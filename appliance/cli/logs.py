# SPDX-License-Identifier: Apache-2.0
"""The daemon's log on standard error: lines for people, or JSON objects for programs."""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from appliance.settings import Log

#: No time stamps: the journal has its own.
_TEXT = "%(levelname)s %(name)s: %(message)s"
#: What the journal reads from the start of a line (sd-daemon(3)): as syslog's.
_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class JournalLines(logging.Formatter):
    """Lines for people, with their priority for the journal, which takes it off again."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or the lines of a trace."""
        mark = f"<{_PRIORITIES.get(record.levelname, 6)}>"
        return "\n".join(f"{mark}{line}" for line in super().format(record).splitlines())


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
        # Imported when used: most owners let the journal keep the fields.
        import json

        return json.dumps(line, ensure_ascii=False)


def formatter(settings: Log, environment: Mapping[str, str]) -> logging.Formatter:
    """JSON if it is asked for; in text the journal is told how grave a line is (systemd.exec(5))."""
    if settings.format == "json":
        return JsonLines()
    return (JournalLines if "JOURNAL_STREAM" in environment else logging.Formatter)(_TEXT)


def start(settings: Log) -> None:
    """Log as the owner of the device wants it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings, os.environ))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler])
    # One line a request would be the loudest thing in the log of a healthy device.
    logging.getLogger("httpx").setLevel(logging.WARNING)
