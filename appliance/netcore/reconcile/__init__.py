# SPDX-License-Identifier: Apache-2.0
"""From wanted to real: one pass per table (observe, diff, put, delete), and the tables over the doors."""
