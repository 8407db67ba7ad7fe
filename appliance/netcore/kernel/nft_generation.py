# SPDX-License-Identifier: Apache-2.0
"""The number that nftables raises at every change of any table: equal numbers, nothing was changed.

Asked by one message of nfnetlink (linux/netfilter/nf_tables.h, NFT_MSG_GETGEN), where a listing of ten
thousand services takes seconds.
"""

import os
import socket
import struct

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.netlink_wire import HEADER, Message, messages

_NETFILTER = 12
_GET = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_NEW = 10 << 8 | 15
_ID = 1  # NFTA_GEN_ID, in the network's order
_FAMILY = struct.Struct("!BBH")
_REQUEST = 0x1
_TIMEOUT = 1.0


def generation() -> int:
    """In the network namespace of the calling thread. Raises `DoorError`.

    It does not wait: the kernel has answered by the time the request is sent.
    """
    body = _FAMILY.pack(0, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asking:
            asking.settimeout(_TIMEOUT)
            asking.bind((0, 0))
            asking.send(HEADER.pack(HEADER.size + len(body), _GET, _REQUEST, 1, 0) + body)
            answer = asking.recv(4096)
    except OSError as error:
        raise DoorError(f"can't ask nftables for its generation: {error.strerror or error}") from error
    for kind, _, _, content in messages(answer):
        value = Message(None, content[_FAMILY.size :]).raw(_ID) if kind == _NEW else None
        if value is not None:
            return int.from_bytes(value, "big")
    raise DoorError(f"nftables did not tell its generation: {os.strerror(_code(answer))}")


def _code(answer: bytes) -> int:
    at = HEADER.size
    return -int.from_bytes(answer[at : at + 4], "little", signed=True) if len(answer) >= at + 4 else 0
