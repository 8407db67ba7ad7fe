# SPDX-License-Identifier: Apache-2.0
"""The screens, one file each: from what is known to what is shown. Pure."""
