# SPDX-License-Identifier: Apache-2.0
"""Uplinks as systemd-networkd reads them."""

from configparser import ConfigParser, RawConfigParser

from appliance.host.config import HostConfig, Uplink, parse
from appliance.host.network import network_files, wireless_files


def _section(text: str, section: str) -> dict[str, str]:
    reader: ConfigParser | RawConfigParser = RawConfigParser(strict=False)
    reader.optionxform = str  # type: ignore[assignment, method-assign]
    reader.read_string(text)
    return dict(reader[section])


def test_without_uplinks_every_real_wired_link_asks_for_an_address() -> None:
    (text,) = network_files(HostConfig()).values()
    assert _section(text, "Match") == {"Type": "ether", "Kind": "!*"}
    assert _section(text, "Network")["DHCP"] == "yes"


def test_earlier_uplinks_are_preferred() -> None:
    files = network_files(HostConfig(uplink=(Uplink("eth0"), Uplink("wwan0"))))
    metrics = [
        int(_section(files[f"50-orillo-{name}.network"], "DHCPv4")["RouteMetric"])
        for name in ("eth0", "wwan0")
    ]
    assert metrics == sorted(metrics)
    assert len(set(metrics)) == 2


def test_fixed_addresses_have_their_gateways_and_no_dhcp() -> None:
    config = parse(
        '[[uplink]]\nlink = "eth0"\naddress = ["192.0.2.10/24", "2001:db8::10/64"]\n'
        'gateway = ["192.0.2.1", "2001:db8::1"]\ndns = ["192.0.2.53"]',
        "orillo.toml",
    )
    text = network_files(config)["50-orillo-eth0.network"]
    assert "DHCP" not in text
    assert text.count("Address=") == 2
    assert text.count("[Route]\nGateway=") == 2
    assert "DNS=192.0.2.53\n" in text


def test_a_tagged_uplink_hangs_on_its_link_which_may_be_an_uplink_too() -> None:
    files = network_files(HostConfig(uplink=(Uplink("eth0"), Uplink("eth0", vlan=7), Uplink("eth1", vlan=8))))
    assert _section(files["50-orillo-eth0.7.netdev"], "VLAN") == {"Id": "7"}
    assert _section(files["50-orillo-eth0.network"], "Network")["VLAN"] == "eth0.7"
    assert _section(files["50-orillo-eth0.network"], "Network")["DHCP"] == "yes"
    assert _section(files["50-orillo-eth1.network"], "Network") == {
        "VLAN": "eth1.8",
        "LinkLocalAddressing": "no",
    }


def test_no_name_of_a_network_breaks_out_of_its_quotes() -> None:
    config = HostConfig(uplink=(Uplink("wlan0", ssid='shop"\n}', passphrase="not so secret"),))  # noqa: S106
    text = wireless_files(config)["wlan0"]
    assert f"ssid={b'shop'.hex()}220a7d\n" in text
    assert 'psk="not so secret"' in text
