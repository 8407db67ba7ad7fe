# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests here."""

from tests.unit.cloudcli.running import made_operator, runner, short_root

__all__ = ["made_operator", "runner", "short_root"]
