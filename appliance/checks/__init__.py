# SPDX-License-Identifier: Apache-2.0
"""The checks: each looks at one matter through the doors, changes nothing, and says what it found."""
