# SPDX-License-Identifier: Apache-2.0
"""From compiled programs to what is handed out: packages, releases, and the papers that go with them.

Apart from the build, so that a change here compiles nothing anew.
"""
