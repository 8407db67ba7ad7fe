# SPDX-License-Identifier: Apache-2.0
"""The links of ours, with their addresses, in the kernel."""

import errno
from collections.abc import Awaitable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.rtnetlink import Netlink, RawLink, RefusedError, family, index_of
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import HOLDER, NEXT_HOPS, TUNNEL_PREFIX, Link, LinkKind, Vxlan

#: A dummy is the right thing; where the kernel was built without it, an empty bridge holds addresses too.
_HOLDER_KINDS = ("dummy", "bridge")
_NODAD = 0x02  # IFA_F_NODAD: an address in duplicate detection counts as missing, and here is nobody to ask
_SCOPE_LINK = 253
_PERMANENT = 0x80  # NUD_PERMANENT


class LinkDoor:
    """Reads and writes our links: `orillo0`, and XFRM and VXLAN links whose names begin as ours do."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    async def links(self) -> Mapping[str, Link]:
        """Our links by name. Raises `DoorError`."""
        ours = {raw.index: raw for raw in (await self._netlink.links()).values() if _is_ours(raw)}
        addresses: dict[int, set[Address]] = {index: set() for index in ours}
        for message in await self._netlink.dump("addr"):
            index, address = message.field("index"), message.address("IFA_ADDRESS")
            if index in ours and address is not None and message.field("scope") != _SCOPE_LINK:
                addresses[index].add(address)
        neighbours = await self._neighbours(ours)
        return {
            raw.name: _value(raw, frozenset(addresses[index]), neighbours.get(index))
            for index, raw in ours.items()
        }

    async def _neighbours(self, ours: Mapping[int, RawLink]) -> dict[int, str]:
        """The hardware address that both `NEXT_HOPS` have for good, by the link."""
        found: dict[int, dict[Address, str]] = {i: {} for i, raw in ours.items() if raw.kind == "vxlan"}
        for message in await self._netlink.dump("neigh") if found else ():
            index, address = message.field("ifindex"), message.address("NDA_DST")
            if index in found and address is not None and message.field("state") & _PERMANENT:
                found[index][address] = message.text("NDA_LLADDR") or ""
        hops = set(NEXT_HOPS.values())
        return {
            index: next(iter(known.values()))
            for index, known in found.items()
            if hops <= known.keys() and len(set(known.values())) == 1
        }

    async def put_link(self, name: str, link: Link) -> None:
        """Make the link be as wished; one that leads elsewhere is replaced. Raises `DoorError`."""
        raw = await self._existing(name, link)
        if raw is None:
            await self._create(name, link)
        await self._set(name, link)
        present = (await self.links())[name].addresses
        await self._put_addresses(name, link.addresses - present)
        for address in present - link.addresses:
            await self._address("del", name, address)
        if link.neighbour is not None:
            await self._put_neighbour(name, link.neighbour)

    async def delete_link(self, name: str) -> None:
        """Remove a link of ours; an absent one is a success, and so is a foreign one, left alone."""
        raw = (await self._netlink.links()).get(name)
        if raw is not None and _is_ours(raw):
            await self._netlink.remove(f"link {name}", "link", index=raw.index)

    async def delete_bridge(self, name: str) -> bool:
        """Remove the pods' bridge, which the CNI plug-in made and never removes; whether it was there."""
        raw = (await self._netlink.links()).get(name)
        if raw is None or raw.kind != "bridge":
            return False
        return await self._netlink.remove(f"bridge {name}", "link", index=raw.index)

    async def _existing(self, name: str, link: Link) -> RawLink | None:
        raw = (await self._netlink.links()).get(name)
        if raw is None:
            return None
        if raw.kind not in _kinds(link.kind):
            kind = raw.kind or "hardware"
            raise DoorError(f"link {name} is not ours (kind {kind}) but has our name: rename it")
        if (raw.if_id, raw.vxlan) != (link.if_id, link.vxlan):
            await self._netlink.remove(f"link {name}", "link", index=raw.index)
            return None
        return raw

    async def _create(self, name: str, link: Link) -> None:
        if link.kind is LinkKind.XFRM:
            fields = {"kind": "xfrm", "xfrm_if_id": link.if_id}
            await self._netlink.change(f"XFRM interface {name}", "link", "add", ifname=name, **fields)
            return
        if link.vxlan is not None:
            await self._netlink.change(
                f"VXLAN link {name}", "link", "add", ifname=name, **_vxlan_fields(link.vxlan)
            )
            return
        for kind in _HOLDER_KINDS:
            try:
                await self._netlink.change(f"{kind} {name}", "link", "add", ifname=name, kind=kind)
            except RefusedError as error:
                if error.code != errno.EOPNOTSUPP or kind == _HOLDER_KINDS[-1]:
                    raise
            else:
                return

    async def _set(self, name: str, link: Link) -> None:
        fields: dict[str, object] = {"state": "up" if link.up else "down"}
        if link.mtu is not None:
            fields["mtu"] = link.mtu
        index = index_of(name)
        await self._netlink.change(f"link {name}", "link", "set", index=index, **fields)

    async def _put_addresses(self, name: str, addresses: AbstractSet[Address]) -> None:
        ordered = sorted(addresses, key=lambda one: (one.version, one.packed))
        await _each(self._address("add", name, address) for address in ordered)

    async def _put_neighbour(self, name: str, hardware: str) -> None:
        """There is nobody on the link to ask: IPv6 would not be answered for an address of another link."""
        index = index_of(name)
        await _each(
            self._netlink.change(
                f"neighbour {hop} on {name}",
                "neigh",
                "replace",
                ifindex=index,
                family=family(version),
                dst=str(hop),
                lladdr=hardware,
                state=_PERMANENT,
            )
            for version, hop in NEXT_HOPS.items()
        )

    async def _address(self, command: str, name: str, address: Address) -> None:
        fields: dict[str, object] = {
            "index": index_of(name),
            "address": str(address),
            "prefixlen": address.max_prefixlen,
            "family": family(address.version),
        }
        if command == "del":
            await self._netlink.remove(f"address {address}", "addr", **fields)
            return
        if address.version == 6:
            fields["flags"] = _NODAD
        try:
            await self._netlink.change(f"address {address} on {name}", "addr", "add", **fields)
        except RefusedError as error:
            if error.code != errno.EEXIST:
                raise


async def _each(requests: Iterable[Awaitable[None]]) -> None:
    """Each one is tried: a host without IPv6 still gets what is IPv4's. The first error is raised."""
    errors: list[DoorError] = []
    for request in requests:
        try:
            await request
        except DoorError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _vxlan_fields(vxlan: Vxlan) -> dict[str, object]:
    suffix = "" if vxlan.local.version == 4 else "6"
    return {
        "kind": "vxlan",
        "address": vxlan.hardware,
        "vxlan_id": vxlan.network,
        f"vxlan_local{suffix}": str(vxlan.local),
        f"vxlan_group{suffix}": str(vxlan.remote),
        "vxlan_port": vxlan.port,
        # One flow for each peer: the default's many source ports help no one inside a tunnel.
        "vxlan_port_range": {"low": vxlan.port, "high": vxlan.port + 1},
        "vxlan_learning": 0,
    }


def _kinds(kind: LinkKind) -> tuple[str, ...]:
    return _HOLDER_KINDS if kind is LinkKind.HOLDER else (kind.value,)


def _is_ours(raw: RawLink) -> bool:
    if raw.name == HOLDER:
        return raw.kind in _HOLDER_KINDS
    return raw.name.startswith(TUNNEL_PREFIX) and raw.kind in (LinkKind.XFRM, LinkKind.VXLAN)


def _value(raw: RawLink, addresses: frozenset[Address], neighbour: str | None) -> Link:
    if raw.kind == LinkKind.XFRM:
        return Link(LinkKind.XFRM, addresses, raw.if_id, raw.mtu, raw.up)
    if raw.kind == LinkKind.VXLAN:
        vxlan = raw.vxlan
        return Link(LinkKind.VXLAN, addresses, None, raw.mtu, raw.up, vxlan=vxlan, neighbour=neighbour)
    # The holder's MTU is nobody's business: no packet leaves by it.
    return Link(LinkKind.HOLDER, addresses, up=raw.up)
