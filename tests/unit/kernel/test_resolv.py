# SPDX-License-Identifier: Apache-2.0
"""The host's name servers."""

from ipaddress import ip_address
from pathlib import Path

from appliance.netcore.kernel.resolv import name_servers, parse

TEXT = """# made by hand
search example.org
nameserver 192.0.2.1
nameserver\t2001:db8::1 # with a remark
nameserver fe80::1%eth0
nameserver 192.0.2.1
nameserver not-an-address
nameserver
options edns0
"""


def test_name_servers_in_order_each_once_without_nonsense() -> None:
    assert parse(TEXT) == tuple(map(ip_address, ("192.0.2.1", "2001:db8::1", "fe80::1%eth0")))


def test_ours_is_left_out_and_no_file_is_no_server(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    assert name_servers(path) == ()
    path.write_text("nameserver 169.254.20.10\nnameserver 192.0.2.1\n")
    assert name_servers(path, (ip_address("169.254.20.10"),)) == (ip_address("192.0.2.1"),)


def test_behind_the_hosts_stub_stand_the_real_ones(tmp_path: Path) -> None:
    path, behind = tmp_path / "resolv.conf", tmp_path / "behind"
    path.write_text("nameserver 127.0.0.53\n")
    assert name_servers(path, behind_stub=behind) == (ip_address("127.0.0.53"),)
    behind.write_text("nameserver 192.0.2.7\n")
    assert name_servers(path, behind_stub=behind) == (ip_address("192.0.2.7"),)
