# SPDX-License-Identifier: Apache-2.0
"""Measurements with a target, each beside its own baseline in the same run."""
