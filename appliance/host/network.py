# SPDX-License-Identifier: Apache-2.0
"""Uplinks as files for systemd-networkd (systemd.network(5)) and wpa_supplicant. Pure."""

from appliance.host.config import HostConfig, Uplink

#: How much later uplinks are less preferred: `RouteMetric` of the first, and the step.
_METRIC, _STEP = 100, 100
#: Digits of a key in place of a passphrase.
_KEY = 64
_ANY = """[Match]
Type=ether
Kind=!*

[Link]
RequiredForOnline=no

"""


def network_files(config: HostConfig) -> dict[str, str]:
    """Name to content, for /run/systemd/network. Without uplinks: every real wired link, by DHCP."""
    if not config.uplink:
        return {"80-orillo-any.network": f"{_ANY}{_by_dhcp(_METRIC)}"}
    files: dict[str, str] = {}
    tagged: dict[str, list[str]] = {}
    for number, uplink in enumerate(config.uplink):
        metric = _METRIC + number * _STEP
        files[f"50-orillo-{uplink.name}.network"] = _network(uplink, metric)
        if uplink.vlan is not None:
            files[f"50-orillo-{uplink.name}.netdev"] = _vlan(uplink)
            tagged.setdefault(uplink.link, []).append(uplink.name)
    for link, names in tagged.items():
        own = f"50-orillo-{link}.network"
        vlans = "".join(f"VLAN={name}\n" for name in names)
        # The link below is an uplink of its own, or only carries the tagged ones.
        files[own] = (
            files[own].replace("[Network]\n", f"[Network]\n{vlans}", 1)
            if own in files
            else _below(link, vlans)
        )
    return files


def wireless_files(config: HostConfig) -> dict[str, str]:
    """Link to wpa_supplicant's configuration. It holds the passphrase: for root's eyes only."""
    return {uplink.link: _supplicant(uplink) for uplink in config.uplink if uplink.ssid}


def _network(uplink: Uplink, metric: int) -> str:
    match = "MACAddress" if ":" in uplink.name else "Name"
    head = f"[Match]\n{match}={uplink.name}\n\n[Link]\nRequiredForOnline=no\n"
    if uplink.mtu is not None:
        head += f"MTUBytes={uplink.mtu}\n"
    return f"{head}\n{_fixed(uplink, metric) if uplink.address else _by_dhcp(metric, uplink)}"


def _by_dhcp(metric: int, uplink: Uplink | None = None) -> str:
    servers = "".join(f"DNS={address}\n" for address in (uplink.dns if uplink else ()))
    # By the link's address: the machine's identity may be new at each boot of a card that was just flashed.
    return f"""[Network]
{servers}DHCP=yes
IPv6AcceptRA=yes

[DHCPv4]
ClientIdentifier=mac
RouteMetric={metric}
UseDNS={"no" if servers else "yes"}

[IPv6AcceptRA]
RouteMetric={metric}
"""


def _fixed(uplink: Uplink, metric: int) -> str:
    lines = ["[Network]", *(f"Address={address}" for address in uplink.address)]
    lines += [f"DNS={address}" for address in uplink.dns]
    lines += ["IPv6AcceptRA=no", ""]
    for gateway in uplink.gateway:
        lines += ["[Route]", f"Gateway={gateway}", f"Metric={metric}", ""]
    return "\n".join(lines)


def _vlan(uplink: Uplink) -> str:
    return f"[NetDev]\nName={uplink.name}\nKind=vlan\n\n[VLAN]\nId={uplink.vlan}\n"


def _below(link: str, vlans: str) -> str:
    return (
        f"[Match]\nName={link}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n{vlans}LinkLocalAddressing=no\n"
    )


def _supplicant(uplink: Uplink) -> str:
    ssid = uplink.ssid.encode().hex()
    key = uplink.passphrase
    secret = f"psk={key}" if len(key) == _KEY else f'psk="{key}"' if key else "key_mgmt=NONE"
    country = f"country={uplink.country}\n" if uplink.country else ""
    return f"ctrl_interface=/run/wpa_supplicant\n{country}network={{\n  ssid={ssid}\n  {secret}\n}}\n"
