# SPDX-License-Identifier: Apache-2.0
"""Packages and releases, of a directory that stands for a build."""
