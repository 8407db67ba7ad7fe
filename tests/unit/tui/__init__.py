# SPDX-License-Identifier: Apache-2.0
"""The screens without a terminal: what is shown, and what keys do."""
