# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a device: one list of conditions, and rules that tell a cause from its effects."""
