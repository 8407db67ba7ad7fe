# SPDX-License-Identifier: Apache-2.0
"""What a bug report must not hold."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.netcore.health.redaction import without_addresses, without_secrets

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\nabc\n-----END EC PRIVATE KEY-----"


def test_private_keys_go_and_certificates_stay() -> None:
    text = f"a\n{KEY}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    clean = without_secrets(text)
    assert "MHcCAQEEIB" not in clean
    assert "MIIB" in clean


def test_key_that_was_cut_off_goes_too() -> None:
    assert "MHcC" not in without_secrets(KEY[:50])


@given(st.text(alphabet="abcXYZ019-_", min_size=8, max_size=80))
def test_no_token_survives(secret: str) -> None:
    for text in (f"enroll orillo1.{secret} now", f'{{"token": "{secret}"}}', f"secret = '{secret}'"):
        assert secret not in without_secrets(text)


def test_plain_words_are_left_alone() -> None:
    text = "no tunnel is up: 10.0.0.1 does not answer on UDP 4500"
    assert without_secrets(text) == text


def test_same_address_has_the_same_hash_in_one_report_and_another_in_the_next() -> None:
    text = "10.0.0.1 via fd00::1, 10.0.0.1 again; 12:30:59 is a time; 1.2.3 is a version"
    one = without_addresses(text, b"salt one")
    words = one.replace(",", "").split()
    assert words[0] == words[3]
    assert words[0].startswith("[addr-")
    assert "fd00::1" not in one
    assert "1.2.3 is a version" in one
    assert one != without_addresses(text, b"salt two")


ADDRESSES = st.ip_addresses()
FRAMES = (
    "{}",
    "{}/64",
    "[{}]:443",
    "dev eth0 src {} metric 5",
    '"{}",',
    "{}: no answer",
    "({})",
    "@{}\n",
    "={} ",
)


@given(ADDRESSES, st.sampled_from(FRAMES), st.booleans())
@settings(max_examples=600)
@example(ip_address("::1"), "{}", True)
@example(ip_address("::"), "{}/0", True)
@example(ip_address("fd00:200:0:1::"), "{}/64", True)
@example(ip_address("fe80::1"), "{}%eth0", True)
@example(ip_address("::ffff:192.0.2.1"), "{}", True)
def test_no_address_survives_in_any_spelling(
    address: IPv4Address | IPv6Address, frame: str, short: bool
) -> None:
    """Not even a piece of one that would tell most of it."""
    text = frame.format(address if short else address.exploded)
    clean = re.sub(r"\[addr-[0-9a-f]{8}\]", "", without_addresses(text, b"salt"))
    assert not re.search(r"[0-9a-f]+:[0-9a-f:]*[0-9a-f]|\d+\.\d+\.\d+|::", clean.replace("]:443", "")), clean
