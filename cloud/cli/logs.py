# SPDX-License-Identifier: Apache-2.0
"""The log of `serve`: a line an event on stderr, as key=value."""

import json
import logging
from datetime import UTC, datetime


class KeyValueFormatter(logging.Formatter):
    """Our own messages are written as `key=value` where they are logged; others become one quoted value."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one event, in UTC."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = record.getMessage()
        if not record.name.startswith("cloud."):
            text = f"event=library library={record.name} message={json.dumps(text)}"
        if record.exc_info:
            text += f" trace={json.dumps(self.formatException(record.exc_info))}"
        return f"time={moment.replace('+00:00', 'Z')} level={record.levelname.lower()} {text}"


def log_to_stderr() -> None:
    """Send everything from level INFO on to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it has a line for every request
