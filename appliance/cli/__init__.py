# SPDX-License-Identifier: Apache-2.0
"""The command `orillo`: one file a verb, imported when it is used."""
