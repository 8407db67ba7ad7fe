# SPDX-License-Identifier: Apache-2.0
"""What a machine and a flashed card have in common for who works on them."""

from typing import Protocol

from tests.lab.command import Result
from tests.vm.machine import CALL


class System(Protocol):
    """A machine that takes commands."""

    name: str

    def power_off(self) -> None:
        """Pull its plug."""

    def call(self, *argv: str, feed: str = "", timeout: float = CALL) -> Result:
        """Run a command in it whose failure is an answer."""

    def run(self, *argv: str, feed: str = "", timeout: float = CALL) -> str:
        """Run a command in it that has to succeed; returns its output."""

    def script(self, text: str, timeout: float = CALL) -> str:
        """Run a shell script in it that has to succeed; returns its output."""
