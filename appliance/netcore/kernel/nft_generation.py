# SPDX-License-Identifier: Apache-2.0
"""The number that nftables raises at every change of any table: equal numbers, nothing was changed.

Asked by one message of nfnetlink (linux/netfilter/nf_tables.h, NFT_MSG_GETGEN), where a listing of ten
thousand services takes seconds.
"""

import os
import socket

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.netlink_messages import KINDS, answers, read, request

_NETFILTER = 12
_REQUEST = 0x1
_TIMEOUT = 1.0


def generation() -> int:
    """In the network namespace of the calling thread. Raises `DoorError`.

    It does not wait: the kernel has answered by the time the request is sent.
    """
    kind = KINDS["nftables"]
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asking:
            asking.settimeout(_TIMEOUT)
            asking.bind((0, 0))
            asking.send(request("nftables", kind.get, _REQUEST, 1, {}))
            (answer, *_) = answers(asking.recv(4096))
    except (OSError, ValueError) as error:
        raise DoorError(f"can't ask nftables for its generation: {error}") from error
    value = read(kind.form, answer.data).number("NFTA_GEN_ID") if answer.type == kind.new else None
    if value is None:
        code, said = answer.error()
        raise DoorError(f"nftables did not tell its generation: {said or os.strerror(code)}")
    return value
