# SPDX-License-Identifier: Apache-2.0
"""`./dev image`: a disk image of Debian's packages and our own, made without mounts."""
