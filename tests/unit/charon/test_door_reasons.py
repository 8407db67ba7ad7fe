# SPDX-License-Identifier: Apache-2.0
"""Of all that charon logs while it fails, what says why. The lines are those of real ones, 5.9.8."""

import pytest

from appliance.checks.tunnels import reason_code
from appliance.netcore.charon.door import _last

NO_ESP = [
    "received packet: from 203.0.113.11[4500] to 192.168.1.10[4500] (80 bytes)",
    "parsed CREATE_CHILD_SA response 2 [ SA No KE TSi TSr ]",
    "received netlink error: Function not implemented (38)",
    "unable to add SAD entry with SPI c1c2c3c4 (FAILED)",
    "unable to install inbound and outbound IPsec SA (SAD) in kernel",
    "failed to establish CHILD_SA, keeping IKE_SA",
    "deleting policy 10.255.0.2/32 === 10.255.0.4/32 in failed, not found",
    "deleting policy 10.255.0.2/32 === 10.255.0.4/32 fwd failed, not found",
    "received packet: from 203.0.113.11[4500] to 192.168.1.10[4500] (80 bytes)",
]
STRANGER = [
    'no issuer certificate found for "CN=connector-1"',
    '  issuer is "CN=stranger CA"',
    "signature validation failed, looking for another key",
    "generating INFORMATIONAL request 2 [ N(AUTH_FAILED) ]",
    "sending packet: from 192.168.1.10[4500] to 203.0.113.11[4500] (80 bytes)",
]
SILENT = ["retransmit 3 of request with message ID 0", "giving up after 3 retransmits"]


@pytest.mark.parametrize(
    ("said", "told", "code"),
    [
        (NO_ESP, "unable to install inbound", "child-not-installable"),
        (STRANGER, "signature validation failed", "ike-peer-untrusted"),
        (SILENT, "giving up after 3 retransmits", ""),
    ],
    ids=["no-esp", "stranger", "silent"],
)
def test_reason_is_what_is_told_and_not_the_tidying_up(said: list[str], told: str, code: str) -> None:
    reason = _last(said)
    assert told in reason
    assert "packet" not in reason
    assert "deleting policy" not in reason
    assert reason_code(reason) == code
