# SPDX-License-Identifier: Apache-2.0
"""Inventory and intent in, plans out: functions of values, with no I/O."""
