# SPDX-License-Identifier: Apache-2.0
"""Self-update, without a device."""
