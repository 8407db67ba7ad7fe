# SPDX-License-Identifier: Apache-2.0
"""The operator: inventory and intent in, one signed plan for each device out."""
