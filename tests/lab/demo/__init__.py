# SPDX-License-Identifier: Apache-2.0
"""The demo: a cloud and three sites, everything real, and a check for each promise of the product."""
