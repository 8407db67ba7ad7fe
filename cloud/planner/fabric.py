# SPDX-License-Identifier: Apache-2.0
"""The settings of one fabric: its names, and the pools that its prefixes come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network

from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.values import Address, Prefix
from cloud.planner.blocks import Claims
from cloud.planner.roles import RoleLabels


class FabricError(ValueError):
    """Settings that contradict one another; the text says which."""


@dataclass(frozen=True)
class Fabric:
    """Pods' prefixes are blocks of `pod_pools`, one of each family for each device.

    Overlay addresses are single ones from `overlay_pools`. `service_ranges` are the cluster's own and only
    kept free. `global_ranges` are for the services of several clusters, and used only where there are such.
    `dns_bind` is where every device's DNS cache listens. Raises `FabricError`.
    """

    cluster: str
    domain: str = "cluster.local"
    pod_pools: tuple[Prefix, ...] = (ip_network("10.200.0.0/16"), ip_network("fd00:200::/48"))
    overlay_pools: tuple[Prefix, ...] = (ip_network("10.255.0.0/16"), ip_network("fd00:255::/64"))
    service_ranges: tuple[Prefix, ...] = (ip_network("10.96.0.0/16"), ip_network("fd00:96::/112"))
    global_ranges: tuple[Prefix, ...] = (ip_network("10.254.0.0/16"), ip_network("fd00:254::/112"))
    pod_block_v4: int = 24
    pod_block_v6: int = 64
    dns_bind: tuple[Address, ...] = (IPv4Address("169.254.20.10"),)
    roles: RoleLabels = RoleLabels()  # noqa: RUF009 -- RoleLabels is immutable

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if problems:
            raise FabricError("; ".join(problems))

    @property
    def ranges(self) -> dict[Prefix, str]:
        """Every prefix of the settings, with what people call it."""
        return {
            **dict.fromkeys(self.pod_pools, "the pod pool"),
            **dict.fromkeys(self.overlay_pools, "the overlay pool"),
            **dict.fromkeys(self.service_ranges, "the service range"),
        }

    def pod_block(self, pool: Prefix) -> int:
        """The length of a device's block in `pool`, in bits."""
        return self.pod_block_v4 if pool.version == 4 else self.pod_block_v6

    def _problems(self) -> Iterator[str]:
        if not is_name(self.cluster):
            yield f"cluster name {self.cluster!r} is no DNS label: use lower-case letters, digits and '-'"
        claims = Claims()
        for pools, what in (
            (self.pod_pools, "the pod pool"),
            (self.overlay_pools, "the overlay pool"),
            (self.service_ranges, "the service range"),
        ):
            for pool in pools:
                if other := claims.claim(pool, what):
                    yield f"{what} {pool} overlaps {other[1]} {other[0]}: change one of the two"
        for pool in self.pod_pools:
            if not pool.prefixlen <= self.pod_block(pool) <= pool.max_prefixlen:
                yield f"the pod pool {pool} holds no block of /{self.pod_block(pool)}: make it larger"
