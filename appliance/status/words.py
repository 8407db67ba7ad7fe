# SPDX-License-Identifier: Apache-2.0
"""Amounts in words, the same in every command and on every screen. Pure."""

from datetime import datetime


def duration(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    for unit, size_ in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size_:
            return f"{seconds / size_:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """A number of bytes in its largest fitting unit, powers of 1000."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def ago(then: datetime | None, now: datetime) -> str:
    """How long before `now` something was."""
    if then is None:
        return "at an unknown time"
    return f"{duration(max(0.0, (now - then).total_seconds()))} ago"
