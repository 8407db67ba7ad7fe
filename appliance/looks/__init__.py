# SPDX-License-Identifier: Apache-2.0
"""Looks at the box for who sits at the terminal: taken when they are asked for, and kept by nobody."""
