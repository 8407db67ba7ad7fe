# SPDX-License-Identifier: Apache-2.0
"""Another release of the program: believed by its signature, tried beside the old one, kept or undone."""
