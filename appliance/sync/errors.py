# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the device and its control endpoint."""

from appliance.netcore.errors import DoorError


class IdentityError(DoorError):
    """What the device holds, or was handed, as its identity can't be used."""


class ControlError(DoorError):
    """The control endpoint did not do what was asked; the text says what to do."""


class UnreachableError(ControlError):
    """It could not be asked: names, routes, ports, time-outs."""


class TlsError(ControlError):
    """It was reached, but one side does not believe the other's certificate."""


class RefusedError(ControlError):
    """It answered and said no. `code` is that of the refusal, or the HTTP status in words."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
