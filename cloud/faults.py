# SPDX-License-Identifier: Apache-2.0
"""What a command can end with, and which of our errors is which."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from cloud.ca.keys import KeyFileError
from cloud.planner.allocation import AllotmentError
from cloud.planner.inventory import InventoryError
from cloud.publish import PlanningError
from cloud.settings import SettingsError
from cloud.source.kinds import UnknownKindError
from cloud.source.manifest import ManifestError
from cloud.store.database import StoreError


class Exit(IntEnum):
    """Exit codes of every verb."""

    OK = 0
    FAULT = 1
    USAGE = 2
    CANNOT_RUN = 3
    DEGRADED = 4


class CommandError(Exception):
    """A command that did not do what was asked; the text is one sentence with the remedy."""

    def __init__(self, message: str, code: Exit = Exit.FAULT) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def as_command_errors() -> Iterator[None]:
    """Errors of the rooms below, as commands report them."""
    try:
        yield
    except (ManifestError, InventoryError, AllotmentError, PlanningError) as error:
        raise CommandError(str(error), Exit.FAULT) from error
    except UnknownKindError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    except (SettingsError, KeyFileError, StoreError) as error:
        raise CommandError(str(error), Exit.CANNOT_RUN) from error
