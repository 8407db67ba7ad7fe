# SPDX-License-Identifier: Apache-2.0
"""The faults of the benchmark `diagnosis`: each is injected into the lab, and taken back."""
