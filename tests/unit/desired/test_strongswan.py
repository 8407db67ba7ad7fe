# SPDX-License-Identifier: Apache-2.0
"""Our charon's strongswan.conf."""

import re

from appliance.netcore.desired.strongswan import ipsec_of, plugins, strongswan_conf
from appliance.netcore.plan.model import Tunnel
from appliance.netcore.spec import Ipsec


def value(text: str, name: str) -> str:
    found = re.findall(rf"^ *{name} = (.*)$", text, re.MULTILINE)
    assert len(found) == 1, (name, found)
    return str(found[0])


def test_libipsec_comes_before_the_kernel_that_would_take_esp_first() -> None:
    with_it = plugins(Ipsec.LIBIPSEC)
    assert with_it.index("kernel-libipsec") + 1 == with_it.index("kernel-netlink")
    assert "kernel-libipsec" not in plugins(Ipsec.KERNEL)
    assert {ipsec_of(plugins(kind)) for kind in Ipsec} == set(Ipsec)
    assert all(ipsec_of(plugins(kind)) is kind for kind in Ipsec)


def test_exactly_the_listed_plugins_are_loaded() -> None:
    text = strongswan_conf(Tunnel(), Ipsec.LIBIPSEC)
    assert value(text, "load_modular") == "yes"
    sections = re.findall(r"^    (\S+) \{\n      load = yes$", text, re.MULTILINE)
    assert tuple(sections) == plugins(Ipsec.LIBIPSEC)


def test_charons_own_routes_can_never_match() -> None:
    text = strongswan_conf(Tunnel(), Ipsec.LIBIPSEC)
    assert value(text, "install_routes") == "no"
    assert (value(text, "routing_table"), value(text, "routing_table_prio")) == ("7411", "7411")
    assert value(text, "fwmark") == "0x00400000"


def test_the_plan_sets_ports_and_retransmission() -> None:
    tunnel = Tunnel(
        ike_port=1500, natt_port=1600, retransmit_tries=5, retransmit_timeout=0.5, retransmit_base=1.1
    )
    text = strongswan_conf(tunnel, Ipsec.KERNEL)
    assert (value(text, "port"), value(text, "port_nat_t")) == ("1500", "1600")
    assert value(text, "retransmit_tries") == "5"
    assert value(text, "retransmit_timeout") == "0.5"
    assert value(text, "retransmit_base") == "1.1"


def test_the_braces_match_and_the_socket_is_where_we_look() -> None:
    text = strongswan_conf(Tunnel(), Ipsec.KERNEL)
    assert text.count("{") == text.count("}")
    assert value(text, "socket") == "unix:///run/charon.vici"
