# SPDX-License-Identifier: Apache-2.0
"""The edge appliance: everything that runs on a device, in one binary."""

__version__ = "0.1.0"
