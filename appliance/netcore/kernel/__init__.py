# SPDX-License-Identifier: Apache-2.0
"""Doors to the kernel: processes, files, sysctls, netlink and nftables."""
