# SPDX-License-Identifier: Apache-2.0
"""ICMP echo messages, and a real echo on loopback."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.probe.icmp import Pinger, checksum, echo_request, read_reply

IP_HEADER = bytes([0x45]) + bytes(19)


def test_the_checksum_of_rfc_1071() -> None:
    # The example of RFC 1071, section 3: the sum is ddf2, and what is sent is its complement.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF & ~0xDDF2


@given(st.binary(max_size=64))
def test_a_message_with_its_checksum_sums_to_zero(payload: bytes) -> None:
    assert checksum(echo_request(4, 7, 9, payload)) == 0


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=32))
def test_a_reply_is_read_back(ident: int, sequence: int, payload: bytes) -> None:
    for version, kind, header in ((4, 0, IP_HEADER), (6, 129, b"")):
        reply = header + struct.pack("!BBHHH", kind, 0, 0, ident, sequence) + payload
        assert read_reply(version, reply) == (ident, sequence, payload)


@given(st.binary(max_size=40))
def test_anything_else_is_nobodys_reply(packet: bytes) -> None:
    for version in (4, 6):
        found = read_reply(version, packet)
        assert found is None or len(packet) >= 8


def test_a_request_that_comes_back_is_no_reply() -> None:
    assert read_reply(4, IP_HEADER + echo_request(4, 1, 2, b"x")) is None
    assert read_reply(6, echo_request(6, 1, 2, b"x")) is None


@pytest.mark.lab
@pytest.mark.parametrize(("source", "target"), [("127.0.0.9", "127.0.0.1"), ("::1", "::1")])
async def test_loopback_answers(source: str, target: str) -> None:
    pinger = Pinger()
    try:
        rtt = await pinger.ping(ip_address(target), ip_address(source), 2.0)
        assert rtt is not None
        assert 0 < rtt < 2
    finally:
        pinger.close()


@pytest.mark.lab
async def test_a_source_that_is_not_ours_is_a_lost_probe() -> None:
    pinger = Pinger()
    try:
        assert await pinger.ping(ip_address("127.0.0.1"), ip_address("192.0.2.77"), 0.01) is None
    finally:
        pinger.close()
