# SPDX-License-Identifier: Apache-2.0
"""The edge appliance: everything that runs on a device, in one binary."""

__version__ = "0.1.0"
#: When this version was made, RFC 3339; no clock of a device that runs it can rightly be before.
MADE = "2026-11-01T00:00:00+00:00"
