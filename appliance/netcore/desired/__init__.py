# SPDX-License-Identifier: Apache-2.0
"""Pure: a plan and what the box sees of itself, compiled into the tables that are wanted."""
