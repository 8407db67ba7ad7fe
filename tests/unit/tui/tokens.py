# SPDX-License-Identifier: Apache-2.0
"""A token for tests."""

from appliance.netcore.plan.token import Token

TOKEN = Token("t1", "never-shown", "https://203.0.113.1:8443", "https://203.0.113.1:443", "ab" * 32)
