# SPDX-License-Identifier: Apache-2.0
"""The box's own network: what is wanted (plan, desired), what is there (doors), and the passes between."""
