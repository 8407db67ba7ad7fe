# SPDX-License-Identifier: Apache-2.0
"""The embedded store: SQLite, one file, one writing process."""
