# SPDX-License-Identifier: Apache-2.0
"""The planner for a fleet that lives: told what changed, it says whose plans to look at again.

It is pure, as the full planner is: what it answers follows from what it was told. After any sequence of
changes its plans are those that `make_plans` makes of the same objects, and a test holds that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan, Trust
from cloud.planner.allocation import Allocation
from cloud.planner.allotter import Allotter, Before
from cloud.planner.catalogue import Catalogue, Change, Delta, Key
from cloud.planner.compile import plan_of
from cloud.planner.fabric import Fabric
from cloud.planner.inventory import read_inventory
from cloud.planner.model import Inventory, InventoryError, Service
from cloud.planner.services import renew_views
from cloud.planner.touched import Difference, audience
from cloud.planner.world import World
from cloud.source.manifest import Manifest

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class News:
    """What is new: objects, the valid enrolment of devices (None for none), and what they were given."""

    objects: tuple[Change, ...] = ()
    enrolments: Mapping[str, Identity | None] = field(default_factory=dict)
    held: Mapping[str, Allocation | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """What came of it: the devices whose plans may be others, what was allotted, and how to undo it."""

    touched: frozenset[str]
    allotted: dict[str, Allocation]
    undo: News
    before: "_Parts | None" = None


#: What the plans of all nodes depend on: Calico's objects, and FabEdge's other clusters.
TIES = frozenset(("IPPool", "IPAMBlock", "Cluster"))


class _Parts:
    """What an engine works with; all of it follows from objects, enrolments and what is held."""

    def __init__(self, fabric: Fabric, wants: Callable[[str], bool], held: Mapping[str, Allocation]) -> None:
        self.catalogue = Catalogue(fabric)
        self.identities: dict[str, Identity] = {}
        self.allotter = Allotter(fabric, held, wants)
        self.world = World(self.catalogue.inventory, fabric, self.allotter.allocations, self.identities)


class Engine:
    """All that plans are made of, but for trust. `wants` is who gets prefixes that it does not hold.

    Where there are objects that all plans depend on (`TIES`), every change is worked out in full.
    """

    def __init__(self, fabric: Fabric, wants: Callable[[str], bool] = lambda _: True) -> None:
        self._fabric = fabric
        self._wants = wants
        self._parts = _Parts(fabric, wants, {})

    @property
    def manifests(self) -> Mapping[Key, Manifest]:
        """The objects that it knows."""
        return self._parts.catalogue.manifests

    @property
    def inventory(self) -> Inventory:
        """The inventory at present, without its warnings; it changes with the next `take`."""
        return self._parts.catalogue.inventory

    @property
    def identities(self) -> Mapping[str, Identity]:
        """The valid enrolment of each device."""
        return self._parts.identities

    @property
    def allocations(self) -> Mapping[str, Allocation]:
        """What each node of the inventory holds."""
        return self._parts.allotter.allocations

    @property
    def world(self) -> World:
        """All that plans are made of; it changes with the next `take`."""
        return self._parts.world

    @property
    def devices(self) -> frozenset[str]:
        """Who has a plan."""
        return frozenset(self._parts.world.devices)

    def warnings(self) -> tuple[str, ...]:
        """What the owner should know of the inventory; the work is for all of it."""
        return read_inventory(self.manifests.values(), self._fabric).warnings

    def plan(self, name: str, trust: Trust, author: str) -> Plan | None:
        """The plan of a device, numbered and dated as by `make_plans`; None for one that has none."""
        world = self._parts.world
        node = world.devices.get(name)
        return plan_of(world, node, trust, author) if node else None

    def take(self, news: News) -> Taken:
        """Take in what is new. Raises `InventoryError` (also `AllotmentError`); then nothing is taken in."""
        catalogue = self._parts.catalogue
        if catalogue.ties or any(key[0] in TIES for key, _ in news.objects):
            return self._take_whole(news)
        old = tuple((key, self.manifests.get(key)) for key, _ in news.objects)
        delta = catalogue.put(news.objects)
        if problems := tuple(dict.fromkeys(catalogue.problems(delta))):
            catalogue.put(old)
            raise InventoryError(problems)
        try:
            return self._settle(news, old, delta)
        except InventoryError:
            catalogue.put(old)
            raise

    def undo(self, taken: Taken) -> None:
        """Everything as it was before; only for the last thing that was taken in."""
        if taken.before is not None:
            self._parts = taken.before
        else:
            delta = self._parts.catalogue.put(taken.undo.objects)
            self._settle(taken.undo, (), delta)

    def _take_whole(self, news: News) -> Taken:
        """Work everything out anew."""
        before = self._parts
        objects = _merged(before.catalogue.manifests, dict(news.objects))
        held = _merged(before.allotter.held, news.held)
        inventory = read_inventory(objects.values(), self._fabric)
        parts = _Parts(self._fabric, self._wants, held)
        parts.catalogue.put(tuple(objects.items()))
        if parts.catalogue.ties:
            parts.catalogue.inventory = inventory
        parts.identities |= _merged(before.identities, news.enrolments)
        parts.allotter.renew(parts.catalogue.inventory.nodes)
        parts.world = World(
            parts.catalogue.inventory, self._fabric, parts.allotter.allocations, parts.identities
        )
        self._parts = parts
        touched = frozenset({*before.world.devices, *parts.world.devices})
        return Taken(touched, parts.allotter.held, News(), before)

    def _settle(self, news: News, old: tuple[Change, ...], delta: Delta) -> Taken:
        """Allot, then find out who is touched while the world goes over to what is new."""
        enrolments = {n: who for n, who in news.enrolments.items() if self._parts.identities.get(n) != who}
        undo_enrolments = {name: self._parts.identities.get(name) for name in enrolments}
        given = {name: self._parts.allotter.held.get(name) for name in news.held}
        _put_all(self._parts.identities, enrolments)
        try:
            before = self._allot({*delta.nodes, *enrolments, *news.held}, news.held)
        except InventoryError:
            _put_all(self._parts.identities, undo_enrolments)
            self._allot(given.keys(), given)
            raise
        names = frozenset({*before, *delta.nodes, *enrolments})
        touched = self._renew(names, delta)
        allotted = {
            name: self._parts.allotter.held[name] for name in before if name in self._parts.allotter.held
        }
        undo_held = {name: held for name, (_, held) in before.items()} | given
        return Taken(frozenset(touched), allotted, News(old, undo_enrolments, undo_held))

    def _allot(self, names: Iterable[str], held: Mapping[str, Allocation | None]) -> Before:
        for name, allocation in held.items():
            self._parts.allotter.give(name, allocation)
        return self._parts.allotter.renew({name: self.inventory.nodes.get(name) for name in names})

    def _renew(self, names: frozenset[str], delta: Delta) -> set[str]:
        world, services = self._parts.world, self.inventory.services
        keys = {*delta.services, *(key for name in names for key in self._at(name))}
        now: dict[str, Service | None] = {key: services.get(key) for key in keys}
        was = now | delta.services
        communities = frozenset(delta.communities)
        outside = self._outside(names)
        touched = audience(world, Difference(names, communities, was), now)
        world.renew_nodes(names)
        for name in communities:
            world.renew_community(name)
        keys |= {key for name in {"", *names} for key in self._at(name)} if names else set()
        moved = [key for key in sorted(keys) if world.renew_service(key)]
        renew_views(world, keys)
        now |= {key: services.get(key) for key in keys}
        touched |= audience(world, Difference(names, communities, now), now | was)
        if moved or outside != self._outside(names):
            touched |= world.devices.keys()
        return touched | names

    def _at(self, name: str) -> set[str]:
        return self._parts.world.services_at(name)

    def _outside(self, names: frozenset[str]) -> tuple[object, ...]:
        world = self._parts.world
        return (world.outside(edges_only=True), world.outside(edges_only=False)) if names else ()


def _merged(old: Mapping[K, T], new: Mapping[K, T | None]) -> dict[K, T]:
    """The old mapping with what is new; None takes away."""
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def _put_all(identities: dict[str, Identity], enrolments: Mapping[str, Identity | None]) -> None:
    for name, identity in enrolments.items():
        if identity is None:
            identities.pop(name, None)
        else:
            identities[name] = identity
