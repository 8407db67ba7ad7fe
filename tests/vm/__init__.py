# SPDX-License-Identifier: Apache-2.0
"""Virtual machines with Debian's own kernel, for what namespaces here can't show; see README.md."""
