# SPDX-License-Identifier: Apache-2.0
"""From the source tree to compiled programs: described as data, built by Nuitka, checked by its report."""
