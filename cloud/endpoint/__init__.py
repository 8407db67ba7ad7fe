# SPDX-License-Identifier: Apache-2.0
"""The operator's listeners: enrolment, control (mTLS), and the local one that takes commands."""
