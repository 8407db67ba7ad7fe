# SPDX-License-Identifier: Apache-2.0
"""Active measurements: local backends, and the data path of every tunnel."""
