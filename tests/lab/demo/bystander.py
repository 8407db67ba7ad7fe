# SPDX-License-Identifier: Apache-2.0
"""What another program has set up on a host before we came; it has to be there unchanged after we went."""

from pathlib import Path

from tests.lab.command import run
from tests.lab.device import Device

_CONFLIST = '{"cniVersion": "1.0.0", "name": "bystander", "plugins": [{"type": "loopback"}]}\n'
_RULES = """
table inet bystander {
    set friends { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 } }
    chain input { type filter hook input priority 10; ip saddr @friends accept; }
}
"""


def settle(device: Device) -> None:
    """Put a route in main and one in a table of its own, a rule, an nft table and a CNI file on a device."""
    ns = device.ns
    run("ip", "route", "add", "192.0.2.0/25", "dev", "lo", "proto", "99", ns=ns)
    run("ip", "route", "add", "192.0.2.128/25", "dev", "lo", "table", "4242", "proto", "99", ns=ns)
    run("ip", "-6", "route", "add", "2001:db8:99::/64", "dev", "lo", "table", "4242", "proto", "99", ns=ns)
    run("ip", "rule", "add", "pref", "4242", "lookup", "4242", ns=ns)
    run("nft", "-f", "-", ns=ns, feed=_RULES)
    conflist = _conflist(device)
    conflist.parent.mkdir(parents=True, exist_ok=True)
    conflist.write_text(_CONFLIST)


def has_kept_its_file(device: Device) -> bool:
    """Whether the CNI file is as it was; the rest is compared with the host's state as a whole."""
    file = _conflist(device)
    return file.exists() and file.read_text() == _CONFLIST


def _conflist(device: Device) -> Path:
    return device.conflist.parent / "99-bystander.conflist"
