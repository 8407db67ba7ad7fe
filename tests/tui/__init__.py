# SPDX-License-Identifier: Apache-2.0
"""The terminal as an application: pilots, pseudo-terminals, and the pictures of it."""
