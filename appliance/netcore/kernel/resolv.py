# SPDX-License-Identifier: Apache-2.0
"""The host's own name servers (resolv.conf(5)); its files are read and never written."""

from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path

from appliance.netcore.kernel.files import read_text
from appliance.netcore.plan.values import Address

#: systemd-resolved's stub answers for the host; its file with the servers behind it is the better source.
_STUB = ip_address("127.0.0.53")
_BEHIND_STUB = Path("/run/systemd/resolve/resolv.conf")


def parse(text: str) -> tuple[Address, ...]:
    """The addresses of the `nameserver` lines, in order, each once; lines that make no sense are skipped."""
    found: dict[Address, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                found[ip_address(words[1])] = None
            except ValueError:
                continue
    return tuple(found)


def name_servers(
    path: Path, ours: Collection[Address] = (), behind_stub: Path = _BEHIND_STUB
) -> tuple[Address, ...]:
    """The name servers in the file at `path`, none if there is none; without `ours`. Raises `DoorError`.

    A forward to our own cache would be a loop.
    """
    servers = parse(read_text(path) or "")
    if servers == (_STUB,):
        servers = parse(read_text(behind_stub) or "") or servers
    return tuple(server for server in servers if server not in ours)
