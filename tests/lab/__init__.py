# SPDX-License-Identifier: Apache-2.0
"""The lab: hosts made of namespaces, the real daemons in them, and links whose conditions change live."""
