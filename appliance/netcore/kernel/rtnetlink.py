# SPDX-License-Identifier: Apache-2.0
"""The kernel's network tables over one netlink socket: links, addresses, routes and rules (rtnetlink(7)).

pyroute2 ends here: what comes out are the values of `spec`, and its errors become `DoorError`.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6, if_nametoindex
from types import TracebackType
from typing import Any

from pyroute2.iproute import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address, Prefix
from appliance.netcore.spec import Vxlan

_FAMILIES = {4: int(AF_INET), 6: int(AF_INET6)}
_VERSIONS = {number: version for version, number in _FAMILIES.items()}
_DEFAULTS: dict[int, Prefix] = {4: IPv4Network((0, 0)), 6: IPv6Network((0, 0))}
#: Of one request; the kernel answers at once or never.
_TIMEOUT = 10.0
#: What the kernel says of an object that is not there (any more).
ABSENT = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})


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


class Netlink:
    """One socket for requests, opened when first needed; `async with` closes it.

    It joins no multicast group, so nothing piles up in it that nobody asked for.
    """

    def __init__(self) -> None:
        self._socket: Any = None
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
        async with self._asking(what):
            await getattr(self._open(), table)(command, **fields)

    async def remove(self, what: str, table: str, /, **fields: object) -> bool:
        """Delete one object; whether it was there. Errors as `change`."""
        try:
            await self.change(what, table, "del", **fields)
        except RefusedError as error:
            if error.code not in ABSENT:
                raise
            return False
        return True

    async def dump(self, table: str, version: int | None = None) -> list["Message"]:
        """All objects of one table of the kernel ("link", "addr", "route", "rule"). Raises `DoorError`."""
        family = {} if version is None else {"family": _FAMILIES[version]}
        async with self._asking(f"the {table} table"):
            return [Message(raw) async for raw in await getattr(self._open(), table)("dump", **family)]

    async def lookup(self, towards: Address) -> "Message | None":
        """The route that a packet of ours would take; None if there is none. Raises `DoorError`."""
        try:
            async with self._asking(f"the route to {towards}"):
                answer = await self._open().route("get", dst=str(towards), family=_FAMILIES[towards.version])
        except RefusedError as error:
            if error.code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES):
                return None
            raise
        return Message(answer[0]) if answer else None

    async def links(self) -> dict[str, RawLink]:
        """Every link of the host by name."""
        return {link.name: link for link in map(_raw_link, await self.dump("link"))}

    def _open(self) -> Any:
        if self._socket is None:
            self._socket = AsyncIPRoute(groups=0, ext_ack=True)
        return self._socket

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        try:
            async with self._turn, asyncio.timeout(_TIMEOUT):
                yield
        except NetlinkError as error:
            text = error.args[1] if len(error.args) > 1 else str(error)
            raise RefusedError(f"the kernel refused {what}: {text}", abs(error.code)) from error
        except TimeoutError as error:
            self.close()
            raise DoorError(f"the kernel did not answer about {what}") from error
        except OSError as error:
            # A socket that failed once stays unusable (pyroute2 keeps its error).
            self.close()
            raise DoorError(f"netlink failed about {what}: {error.strerror or error}") from error


class Message:
    """One answer of the kernel: fixed fields by name, attributes without their RTA_, IFA_ or FRA_."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def field(self, name: str) -> int:
        """A field of the fixed header."""
        return int(self._raw[name])

    def number(self, name: str) -> int | None:
        """An attribute that is a number."""
        value = self._attribute(name)
        return None if value is None else int(value)

    def text(self, name: str) -> str | None:
        """An attribute that is a string."""
        value = self._attribute(name)
        return None if value is None else str(value)

    def address(self, name: str) -> Address | None:
        """An attribute that is an address."""
        value = self._attribute(name)
        return None if value is None else ip_address(value)

    def nested(self, name: str) -> "Message | None":
        """An attribute that holds others."""
        value = self._attribute(name)
        return Message(value) if isinstance(value, Mapping) else None

    def destination(self) -> Prefix:
        """The prefix that a route is for; without one it is the default route."""
        address = self.text("RTA_DST")
        if address is None:
            return _DEFAULTS[self.version]
        return ip_network((address, self.field("dst_len")))

    @property
    def version(self) -> int:
        """The address family, 4 or 6; 0 for any other."""
        return _VERSIONS.get(self.field("family"), 0)

    def _attribute(self, name: str) -> Any:
        return next((value for key, value in self._raw["attrs"] if key == name), None)


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
    return _FAMILIES[version]


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
