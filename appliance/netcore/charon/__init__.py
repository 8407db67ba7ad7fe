# SPDX-License-Identifier: Apache-2.0
"""The door to charon, over VICI.

`vici` is imported by `session.py` alone; what comes out of this room is typed.
"""
