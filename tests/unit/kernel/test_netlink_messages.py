# SPDX-License-Identifier: Apache-2.0
"""What we ask of the kernel is in its messages as it was meant, and is read so; pyroute2 has their form."""

import struct
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.kernel.netlink_messages import FAMILIES, HEADER, KINDS, Message, answers, read, request

_MAC = "52:54:00:00:00:01"


def _prefix(number: int, length: int, bits: int) -> Any:
    return ip_network((number >> (bits - length) << (bits - length), length))


prefixes = st.one_of(
    [
        st.builds(_prefix, st.integers(0, 2**bits - 1), st.integers(0, bits), st.just(bits))
        for bits in (32, 128)
    ]
)


def asked(table: str, fields: dict[str, Any]) -> Message:
    """A request, read again."""
    kind = KINDS[table]
    (only,) = answers(request(table, kind.new, 5, 77, fields))
    assert (only.type, only.flags, only.sequence, only.is_end) == (kind.new, 5, 77, False)
    return read(kind.form, only.data)


@given(prefixes, st.integers(1, 2**31 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_route_is_read_as_it_was_meant(prefix: Any, link: int, metric: int, table: int) -> None:
    far = prefix.network_address
    fields = {"family": FAMILIES[prefix.version], "dst": str(prefix), "oif": link, "priority": metric}
    message = asked("route", fields | {"table": table, "proto": 174, "type": "throw", "gateway": str(far)})
    assert (message.version, message.destination()) == (prefix.version, prefix)
    assert [message.field(name) for name in ("proto", "type")] == [174, 9]
    assert message.field("table") == (table if table < 256 else 0)
    assert [message.number(f"RTA_{name}") for name in ("OIF", "PRIORITY", "TABLE")] == [link, metric, table]
    assert (message.address("RTA_GATEWAY"), message.address("RTA_PREFSRC")) == (far, None)


@pytest.mark.parametrize(
    ("table", "fields", "fixed", "attributes"),
    [
        (
            "rule",
            {"family": 2, "priority": 7410, "table": 7410, "protocol": 174, "src": "10.0.0.1", "action": 1},
            {"family": 2, "action": 1, "table": 0, "src_len": 0},
            {"FRA_PRIORITY": "7410", "FRA_TABLE": "7410", "FRA_PROTOCOL": "174", "FRA_SRC": "10.0.0.1"},
        ),
        (
            "addr",
            {"family": 2, "address": "10.255.0.1", "prefixlen": 32, "index": 3},
            {"family": 2, "prefixlen": 32, "index": 3},
            {"IFA_ADDRESS": "10.255.0.1", "IFA_LOCAL": "10.255.0.1"},
        ),
        (
            "addr",
            {"family": 10, "address": "fd00::1", "prefixlen": 128, "index": 3},
            {"family": 10, "prefixlen": 128, "index": 3},
            {"IFA_ADDRESS": "fd00::1", "IFA_LOCAL": None},
        ),
        (
            "neigh",
            {"family": 2, "ifindex": 3, "dst": "10.0.0.1", "lladdr": _MAC, "state": 128},
            {"family": 2, "ifindex": 3, "state": 128},
            {"NDA_DST": "10.0.0.1", "NDA_LLADDR": _MAC},
        ),
        (
            "link",
            {"ifname": "orillo-hub1", "mtu": 1400, "address": _MAC, "state": "up"},
            {"flags": 1, "change": 1},
            {"IFLA_IFNAME": "orillo-hub1", "IFLA_MTU": "1400", "IFLA_ADDRESS": _MAC, "IFLA_LINKINFO": None},
        ),
    ],
)
def test_other_tables_are_read_as_they_were_meant(
    table: str, fields: dict[str, Any], fixed: dict[str, int], attributes: dict[str, Any]
) -> None:
    message = asked(table, fields)
    assert {name: message.field(name) for name in fixed} == fixed
    assert {name: message.text(name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("fields", "kind", "details"),
    [
        ({"kind": "dummy"}, "dummy", None),
        ({"kind": "xfrm", "xfrm_if_id": 7411}, "xfrm", {"IFLA_XFRM_IF_ID": "7411"}),
        (
            {
                "kind": "vxlan",
                "vxlan_id": 5,
                "vxlan_local": "10.0.0.1",
                "vxlan_group6": "fd00::2",
                "vxlan_port": 4789,
                "vxlan_port_range": {"low": 4789, "high": 4790},
                "vxlan_learning": 0,
            },
            "vxlan",
            {
                "IFLA_VXLAN_ID": "5",
                "IFLA_VXLAN_LOCAL": "10.0.0.1",
                "IFLA_VXLAN_GROUP6": "fd00::2",
                "IFLA_VXLAN_PORT": "4789",
                "IFLA_VXLAN_LEARNING": "0",
            },
        ),
    ],
)
def test_a_link_of_a_kind_has_its_details(
    fields: dict[str, Any], kind: str, details: dict[str, str] | None
) -> None:
    info = asked("link", {"ifname": "x", **fields}).nested("IFLA_LINKINFO")
    assert info is not None
    assert info.text("IFLA_INFO_KIND") == kind
    data = info.nested("IFLA_INFO_DATA")
    assert (data and {name: data.text(name) for name in details or {}}) == details
    ports = data and data.nested("IFLA_VXLAN_PORT_RANGE")
    assert ports is None or (ports.field("low"), ports.field("high")) == (4789, 4790)


def _end(kind: int, flags: int, content: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(content), kind, flags, 1, 0) + content


_ECHOED = HEADER.pack(24, 26, 5, 1, 0) + bytes(8)
_WORDS = struct.pack("=HH", 4 + 8, 1) + b"no way\0\0"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (_end(2, 0, struct.pack("=i", 0) + _ECHOED), (0, "")),
        (_end(2, 0, struct.pack("=i", -17) + _ECHOED), (17, "")),
        (_end(2, 0x200, struct.pack("=i", -22) + _ECHOED + _WORDS), (22, "no way")),
        (_end(3, 2, struct.pack("=i", 0)), (0, "")),
        (_end(3, 2, struct.pack("=i", -2)), (2, "")),
        (_end(3, 2, b""), (0, "")),
    ],
)
def test_an_end_says_how_it_ended(data: bytes, error: tuple[int, str]) -> None:
    (answer,) = answers(data)
    assert (answer.is_end, answer.error()) == (True, error)


def test_several_answers_come_at_once_and_a_broken_one_ends_them() -> None:
    data = request("link", 18, 0, 1, {}) + request("rule", 34, 0, 2, {}) + bytes(20)
    assert [(answer.type, answer.sequence) for answer in answers(data)] == [(18, 1), (34, 2)]
