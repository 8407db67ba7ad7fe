# SPDX-License-Identifier: Apache-2.0
"""The verbs of `orillo-cloud`, one file each, imported when used."""
