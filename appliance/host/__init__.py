# SPDX-License-Identifier: Apache-2.0
"""The host below the appliance, on an image of ours: its name, uplinks, console and boot entries."""
