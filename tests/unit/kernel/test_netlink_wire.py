# SPDX-License-Identifier: Apache-2.0
"""Our form of rtnetlink's messages is everybody's: pyroute2 reads what we write, and we what it writes."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from appliance.netcore.kernel.netlink_wire import FAMILIES, HEADER, KINDS, Message, messages, request

_CLASSES = {"route": rtmsg, "rule": fibmsg, "addr": ifaddrmsg, "link": ifinfmsg, "neigh": ndmsg}
_MAC = "52:54:00:00:00:01"


def _prefix(number: int, length: int, bits: int) -> Any:
    return ip_network((number >> (bits - length) << (bits - length), length))


prefixes = st.one_of(
    [
        st.builds(_prefix, st.integers(0, 2**bits - 1), st.integers(1, bits), st.just(bits))
        for bits in (32, 128)
    ]
)


def theirs(table: str, body: bytes) -> Any:
    """The message as pyroute2 reads it."""
    header = HEADER.pack(HEADER.size + len(body), KINDS[table].new, 0, 1, 0)
    message = _CLASSES[table](data=header + body)
    message.decode()
    return message


@given(prefixes, st.integers(1, 2**31 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_route_is_read_as_it_was_meant(prefix: Any, link: int, metric: int, table: int) -> None:
    family = FAMILIES[prefix.version]
    fields = {"family": family, "dst": str(prefix), "oif": link, "priority": metric, "table": table}
    body = request("route", fields | {"proto": 174, "type": 7, "gateway": str(prefix.network_address)})
    message = theirs("route", body)
    assert (message["family"], message["dst_len"], message["proto"], message["type"]) == (
        family,
        prefix.prefixlen,
        174,
        7,
    )
    assert ip_address(message.get_attr("RTA_DST")) == prefix.network_address
    assert ip_address(message.get_attr("RTA_GATEWAY")) == prefix.network_address
    assert [message.get_attr(f"RTA_{name}") for name in ("OIF", "PRIORITY", "TABLE")] == [link, metric, table]


@given(prefixes, st.integers(0, 2**32 - 1))
def test_a_route_of_theirs_is_read_as_it_was_meant(prefix: Any, table: int) -> None:
    message = rtmsg()
    message["family"], message["dst_len"] = FAMILIES[prefix.version], prefix.prefixlen
    message["attrs"] = [["RTA_DST", str(prefix.network_address)], ["RTA_TABLE", table]]
    message.encode()
    ((_, _, _, body),) = messages(bytes(message.data))
    ours = Message(KINDS["route"], body)
    assert (ours.destination(), ours.number("RTA_TABLE"), ours.version) == (prefix, table, prefix.version)


@pytest.mark.parametrize(
    ("table", "fields", "head", "attributes"),
    [
        (
            "rule",
            {"family": 2, "priority": 7410, "table": 7410, "protocol": 174, "action": 1},
            {"family": 2, "action": 1, "table": 0},
            {"FRA_PRIORITY": 7410, "FRA_TABLE": 7410, "FRA_PROTOCOL": 174},
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
            {"IFLA_IFNAME": "orillo-hub1", "IFLA_MTU": 1400, "IFLA_ADDRESS": _MAC},
        ),
    ],
)
def test_other_tables_are_read_as_they_were_meant(
    table: str, fields: dict[str, Any], head: dict[str, int], attributes: dict[str, Any]
) -> None:
    message = theirs(table, request(table, fields))
    assert {name: message[name] for name in head} == head
    assert {name: message.get_attr(name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("fields", "kind", "details"),
    [
        ({"kind": "xfrm", "xfrm_if_id": 7411}, "xfrm", {"IFLA_XFRM_IF_ID": 7411}),
        (
            {
                "kind": "vxlan",
                "vxlan_id": 5,
                "vxlan_local": "10.0.0.1",
                "vxlan_group": "10.0.0.2",
                "vxlan_port": 4789,
                "vxlan_port_range": {"low": 4789, "high": 4790},
                "vxlan_learning": 0,
            },
            "vxlan",
            {
                "IFLA_VXLAN_ID": 5,
                "IFLA_VXLAN_LOCAL": "10.0.0.1",
                "IFLA_VXLAN_GROUP": "10.0.0.2",
                "IFLA_VXLAN_PORT": 4789,
                "IFLA_VXLAN_PORT_RANGE": {"low": 4789, "high": 4790},
                "IFLA_VXLAN_LEARNING": 0,
            },
        ),
    ],
)
def test_a_link_of_a_kind_has_its_details(fields: dict[str, Any], kind: str, details: dict[str, Any]) -> None:
    info = theirs("link", request("link", fields)).get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == kind
    data = info.get_attr("IFLA_INFO_DATA")
    assert {name: data.get_attr(name) for name in details} == details
