# SPDX-License-Identifier: Apache-2.0
"""The door to unbound, the name cache that runs beside the agent and outlives it."""
