# SPDX-License-Identifier: Apache-2.0
"""The kernel's network tables over one netlink socket: links, addresses, routes and rules (rtnetlink(7)).

The socket is Python's own, the messages are pyroute2's (`netlink_messages`). Where a thousand routes only
have to be compared with what they were, they are not read at all (`Netlink.digest`).
"""

import asyncio
import errno
import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from socket import if_nametoindex
from types import TracebackType

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.kernel.netlink_messages import (
    FAMILIES,
    HEADER,
    KINDS,
    Answer,
    Message,
    answers,
    read,
    request,
)
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import Vxlan

#: Of one request; the kernel answers at once or never.
_TIMEOUT = 10.0
_BUFFER = 1 << 17
#: What the kernel says of an object that is not there (any more).
ABSENT = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})

# linux/netlink.h
_SOL_NETLINK, _EXT_ACK, _STRICT = 270, 11, 12
_REQUEST, _ACK, _DUMP, _INTERRUPTED = 0x1, 0x4, 0x300, 0x10
_CREATE, _REPLACE, _EXCLUSIVE = 0x400, 0x100, 0x200
#: The flags of a request for a new object, by the command.
_NEW = {"add": _CREATE | _EXCLUSIVE, "replace": _CREATE | _REPLACE, "set": 0}
#: A dump that a change cut across is asked for again, so often.
_TRIES = 5


class RefusedError(DoorError):
    """The kernel refused a request; `code` is its errno."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class RawLink:
    """Any link of the host. `kind` is the driver's name for it, empty for hardware."""

    index: int
    name: str
    kind: str
    mtu: int
    up: bool
    if_id: int | None
    vxlan: Vxlan | None


@dataclass(frozen=True)
class Dump:
    """The objects of one table; each is read when it is looked at, so that thousands take little memory."""

    table: str
    objects: tuple[bytes, ...]

    def __iter__(self) -> Iterator[Message]:
        return (read(KINDS[self.table].form, one) for one in self.objects)


class Netlink:
    """One socket for requests, opened when first needed; `async with` closes it.

    It joins no multicast group, so nothing piles up in it that nobody asked for.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._sequence = 0
        # The kernel refuses a second dump on a socket while one runs (EBUSY; netlink(7)).
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "Netlink":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def change(self, what: str, table: str, command: str, /, **fields: object) -> None:
        """Ask for one change; `what` names the object in the error. Raises `RefusedError` and `DoorError`."""
        kind = KINDS[table]
        number, flags = (kind.delete, 0) if command == "del" else (kind.new, _NEW[command])
        await self._ask(what, table, number, flags | _ACK, fields)

    async def remove(self, what: str, table: str, /, **fields: object) -> bool:
        """Delete one object; whether it was there. Errors as `change`."""
        try:
            await self.change(what, table, "del", **fields)
        except RefusedError as error:
            if error.code not in ABSENT:
                raise
            return False
        return True

    async def dump(self, table: str, version: int | None = None, *, of: int | None = None) -> Dump:
        """All objects of one table of the kernel ("link", "addr", "route", "rule", "neigh").

        `of` leaves out the routes of any other routing table, where the kernel can do so (4.20 and later).
        Raises `DoorError`.
        """
        fields: dict[str, object] = {} if version is None else {"family": FAMILIES[version]}
        if of is not None:
            fields["table"] = of
        for _ in range(_TRIES):
            try:
                found, whole = await self._ask(f"the {table} table", table, KINDS[table].get, _DUMP, fields)
            except RefusedError as error:
                if of is not None and error.code == errno.ENOENT:
                    # A routing table is there from its first route on.
                    return Dump(table, ())
                raise
            if whole:
                break
        return Dump(table, tuple(found))

    async def digest(self, routing_tables: tuple[int, ...]) -> bytes:
        """Of all links, addresses and rules, and of the routes of these tables. Raises `DoorError`.

        Nothing is read from it: two that are equal say that nothing happened between.
        """
        seen = hashlib.sha256()
        asked = [("link", None, None), ("addr", None, None), ("rule", 4, None), ("rule", 6, None)]
        for table, version, of in [*asked, *(("route", v, t) for v in FAMILIES for t in routing_tables)]:
            for one in (await self.dump(table, version, of=of)).objects:
                seen.update(_steady(table, one))
        return seen.digest()

    async def lookup(self, towards: Address) -> "Message | None":
        """The route that a packet of ours would take; None if there is none. Raises `DoorError`."""
        kind, fields = KINDS["route"], {"family": FAMILIES[towards.version], "dst": str(towards)}
        try:
            found, _ = await self._ask(f"the route to {towards}", "route", kind.get, 0, fields)
        except RefusedError as error:
            if error.code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES):
                return None
            raise
        return read(kind.form, found[0]) if found else None

    async def links(self) -> dict[str, RawLink]:
        """Every link of the host by name."""
        return {link.name: link for link in map(_raw_link, await self.dump("link"))}

    async def _ask(
        self, what: str, table: str, kind: int, flags: int, fields: Mapping[str, object]
    ) -> tuple[list[bytes], bool]:
        """The answers, and whether no change cut across them."""
        try:
            async with self._turn, asyncio.timeout(_TIMEOUT):
                self._sequence = (self._sequence + 1) & 0xFFFFFFFF
                message = request(table, kind, flags | _REQUEST, self._sequence, fields)
                return await self._exchange(what, message, one=not flags & (_DUMP | _ACK))
        except TimeoutError as error:
            self.close()
            raise DoorError(f"the kernel did not answer about {what}") from error
        except OSError as error:
            self.close()
            raise DoorError(f"netlink failed about {what}: {error.strerror or error}") from error

    async def _exchange(self, what: str, message: bytes, *, one: bool) -> tuple[list[bytes], bool]:
        """Send, and receive to the end, which after `one` answer nobody tells."""
        if self._socket is None:
            self._socket = _open()
        self._socket.send(message)
        found: list[bytes] = []
        whole = True
        while True:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _BUFFER)
            for answer in answers(data):
                if answer.sequence != self._sequence:
                    continue  # to a request that was given up
                whole = whole and not answer.flags & _INTERRUPTED
                if answer.is_end:
                    _judge(what, answer)
                    return found, whole
                found.append(answer.data)
            if found and one:
                return found, whole


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    opened.bind((0, 0))
    for option in (_EXT_ACK, _STRICT):
        try:
            opened.setsockopt(_SOL_NETLINK, option, 1)
        except OSError:
            # An older kernel tells less, and leaves nothing out of what it tells.
            continue
    return opened


def _judge(what: str, answer: Answer) -> None:
    """Raise `RefusedError` for an answer that is an error."""
    code, said = answer.error()
    if code:
        raise RefusedError(f"the kernel refused {what}: {said or os.strerror(code)}", code)


def _steady(table: str, one: bytes) -> bytes:
    """What of an object stays while nothing happens: links count packets, and addresses count down."""
    if table == "link":
        return repr(_raw_link(read(KINDS[table].form, one))).encode()
    if table == "addr":
        message = read(KINDS[table].form, one)
        fixed = [message.field(name) for name in ("family", "prefixlen", "flags", "scope", "index")]
        return f"{fixed} {message.address('IFA_ADDRESS')} {message.address('IFA_LOCAL')}".encode()
    return one[HEADER.size :]


def index_of(link: str) -> int:
    """The index of the link of that name. Raises `NotYetError` if there is none."""
    try:
        return if_nametoindex(link)
    except OSError as error:
        raise NotYetError(f"waiting for link {link}") from error


def is_there(link: str) -> bool:
    """Whether there is a link of that name."""
    try:
        index_of(link)
    except NotYetError:
        return False
    return True


def family(version: int) -> int:
    """The socket library's number for address family 4 or 6."""
    return FAMILIES[version]


def _raw_link(message: Message) -> RawLink:
    info = message.nested("IFLA_LINKINFO")
    kind = (info.text("IFLA_INFO_KIND") if info else None) or ""
    data = info.nested("IFLA_INFO_DATA") if info and kind in ("xfrm", "vxlan") else None
    return RawLink(
        index=message.field("index"),
        name=message.text("IFLA_IFNAME") or "",
        kind=kind,
        mtu=message.number("IFLA_MTU") or 0,
        up=bool(message.field("flags") & 1),  # IFF_UP
        if_id=data.number("IFLA_XFRM_IF_ID") if data and kind == "xfrm" else None,
        vxlan=_vxlan(data, message.text("IFLA_ADDRESS") or "") if data and kind == "vxlan" else None,
    )


def _vxlan(data: Message, hardware: str) -> Vxlan | None:
    """None where it is not one of two fixed ends, and so none of ours."""
    local = data.address("IFLA_VXLAN_LOCAL") or data.address("IFLA_VXLAN_LOCAL6")
    remote = data.address("IFLA_VXLAN_GROUP") or data.address("IFLA_VXLAN_GROUP6")
    if local is None or remote is None:
        return None
    network, port = data.number("IFLA_VXLAN_ID") or 0, data.number("IFLA_VXLAN_PORT") or 0
    return Vxlan(network, local, remote, port, hardware)
