# SPDX-License-Identifier: Apache-2.0
"""Is a port free for the daemon that this process is about to become?

A charon whose ports are taken stays up with no socket and says so in its log alone; unbound names no remedy.
"""

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from appliance.cli.errors import CliError
from appliance.netcore.plan.values import Address

EVERYWHERE: tuple[Address, ...] = (IPv4Address("0.0.0.0"), IPv6Address("::"))  # noqa: S104 -- as charon binds
_KINDS = {"UDP": socket.SOCK_DGRAM, "TCP": socket.SOCK_STREAM}
# To bind an address that is not there yet; linux/in.h and linux/in6.h, not in Python's socket module.
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78


def need_free(kind: str, port: int, addresses: Iterable[Address], remedy: str) -> None:
    """Raise `CliError` if another program has the port of that kind, UDP or TCP, at one of the addresses."""
    for address in addresses:
        if _is_taken(_KINDS[kind], port, address):
            where = "" if address.is_unspecified else f" of {address}"
            raise CliError(f"{kind} port {port}{where} is taken by another program: {remedy}")


def _is_taken(kind: int, port: int, address: Address) -> bool:
    """Only what is certain: a family that this kernel has not is not asked for."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, kind) as probe:
            if address.version == 4:
                probe.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            else:
                # Its own family alone, or it would clash with a socket of IPv4 that is looked for separately.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            if kind == socket.SOCK_STREAM:
                # A connection of the one before us that is still closing is no program (tcp(7), TIME_WAIT).
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((str(address), port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
