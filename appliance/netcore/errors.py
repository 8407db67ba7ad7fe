# SPDX-License-Identifier: Apache-2.0
"""The errors of every door. A library's own errors end at the door that wraps it."""


class DoorError(Exception):
    """A door refused or failed; the text says what was asked, of whom, and what to do."""


class NotYetError(DoorError):
    """What the object needs is not there yet (a daemon, a link); the text says what is waited for."""
