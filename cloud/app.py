# SPDX-License-Identifier: Apache-2.0
"""The application: the store, the keys, and the one way in which anything changes.

A change is written, every plan is worked out anew from what then is in the store, and all of it is kept
together or not at all. So no inventory is ever kept that no plans can be made of.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from msgspec.structs import replace as replace_field

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan, Trust
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.ca.policy import revocation_matters_from
from cloud.paths import CloudPaths
from cloud.planner.allocation import Allocation
from cloud.planner.catalogue import Change
from cloud.planner.engine import Engine, News, Taken
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, InventoryError
from cloud.publish import PlanningError, Press, without_plan
from cloud.replicas.books import Head
from cloud.replicas.shared import Shared
from cloud.settings import Settings, read_settings
from cloud.store.heads import PlanHead
from cloud.store.plans import StoredPlan
from cloud.store.store import Store
from cloud.store.tokens import StoredToken
from cloud.talks import Talks

log = logging.getLogger(__name__)

#: Before anything was ever revoked.
BEGINNING = datetime.fromtimestamp(0, UTC)
#: How many devices a line of the log names.
_NAMES = 20


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _nobody(_: Set[str]) -> None:
    """Where no server runs, nobody waits for news."""


class Cluster(Protocol):
    """What an operator on a Kubernetes cluster shares with the other replicas, and how."""

    async def token(self, token_id: str, secret: str) -> StoredToken:
        """The token whose secret this is. Raises `TokenRefusedError` and `ApiError`."""

    async def redeem(self, token_id: str, secret: str, asked: str) -> None:
        """Use a token up, given whom its holder wants to be. Raises `TokenRefusedError` and `ApiError`."""

    async def enroll(self, name: str, instance: str, key: str, *, alone: bool) -> None:
        """Make `instance`, with a key of this fingerprint, the valid one; with `alone`, if there is none.

        Raises `TokenRefusedError` and `ApiError`.
        """

    async def revoke(self, name: str) -> bool:
        """Shut a device out; whether it was in. Raises `ApiError`."""

    async def add_token(self, body: dict[str, Any]) -> None:
        """Let in who has the secret of this EnrollToken. Raises `ApiError`."""

    async def tokens(self) -> list[StoredToken]:
        """Every EnrollToken. Raises `ApiError`."""

    async def forget_token(self, token_id: str) -> bool:
        """Let nobody in any more by this token; whether there was one. Raises `ApiError`."""

    async def look(self, name: str) -> None:
        """Know of this device what all replicas know, as of now. Raises `ApiError`."""

    async def has(self, name: str, generation: int) -> None:
        """A device says that it has a plan of this number. Raises `ApiError`."""

    def waits_for(self) -> str:
        """What this replica has to see before it can serve any device; empty if nothing."""

    def proposed(self) -> None:
        """There is something in `Shared` that the others are to know."""


@dataclass(frozen=True)
class Offer:
    """What a device is to be told: its plan, if it has one. `later`: it has one that is not here yet."""

    plan: StoredPlan | None = None
    later: bool = False


@dataclass(frozen=True)
class Situation:
    """What plans are made of: all that follows from the settings and from what is in the store."""

    inventory: Inventory
    fabric: Fabric
    allocations: Mapping[str, Allocation]
    identities: Mapping[str, Identity]


@dataclass
class App:
    """What every command and every request works with.

    `changed` is told the devices that have a new plan, or were revoked. `seen` is when each device last
    asked for its plan, and `talks` how it stands with other clusters. `follows` is the Kubernetes API whose
    objects are mirrored here; it is empty where manifests are applied to this operator itself.
    """

    settings: Settings
    store: Store
    issuer: Issuer
    plan_key: PlanKey
    now: Callable[[], datetime] = utc_now
    changed: Callable[[Set[str]], None] = _nobody
    seen: dict[str, datetime] = field(default_factory=dict)
    talks: Talks = field(default_factory=Talks)
    follows: str = ""
    #: What the replicas of this operator agreed on; None where it is alone with its own store.
    shared: Shared | None = None
    cluster: "Cluster | None" = None
    _engine: Engine | None = field(default=None, init=False)
    _taken: Taken | None = field(default=None, init=False)
    _told: Trust | None = field(default=None, init=False)
    _unseen: Set[str] = field(default=frozenset(), init=False)
    _unstored: dict[str, Allocation] = field(default_factory=dict, init=False)
    _proposed: dict[str, Head] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._press = Press(self.plan_key)

    @classmethod
    def open(cls, paths: CloudPaths) -> Self:
        """The application of these paths; only for the holder of the `WriterLock`.

        Raises `SettingsError`, `KeyFileError` and `StoreError`.
        """
        settings = read_settings(paths.settings)
        issuer = Issuer.load(paths.keys)
        plan_key = PlanKey.load(paths.keys / "plan.key")
        return cls(settings, Store.open(paths.database), issuer, plan_key)

    @property
    def trust(self) -> Trust:
        """Whom devices are to believe, and whom no more."""
        # What replicas share says itself whom to name, or two that look at different times would differ.
        since = BEGINNING if self.shared else revocation_matters_from(self.now())
        revoked = self.store.devices.revoked_since(since)
        return Trust(
            ca=(self.issuer.certificate_pem,),
            plan_keys=self.plan_key.trusted,
            revoked=tuple(self.identity(name, instance).uri for name, instance in revoked),
        )

    def identity(self, name: str, instance: str) -> Identity:
        """One enrolment of a device of this cluster."""
        return Identity(cluster=self.settings.cluster, name=name, instance=instance)

    def identities(self) -> dict[str, Identity]:
        """The valid enrolment of each device."""
        valid = self.store.devices.valid()
        return {name: self.identity(name, instance) for name, instance in valid.items()}

    @contextmanager
    def change(self, author: str) -> Iterator[set[str]]:
        """Keep what the block writes to the store and the plans that follow from it, or nothing if it raises.

        The yielded set names the devices to be woken; those with a new plan are added at the end of the
        block. `author` stands in the new plans.
        """
        news: set[str] = set()
        known = self._engine is not None
        self._taken, self._proposed = None, {}
        try:
            with self.store.transaction():
                yield news
                trust = self.trust
                news |= self._publish(trust, author)
        except BaseException:
            self._go_back(known)
            raise
        allotted = self._unstored | (self._taken.allotted if self._taken else {})
        self._told, self._unseen, self._unstored = trust, frozenset(), {}
        if self.shared and self.shared.leads:
            self._propose(self.shared, allotted)
        if news:
            log.info("event=changed author=%s devices=%s", author, _some(news))
            self.changed(news)

    def offer(self, name: str) -> Offer:
        """What the device is to be told at present."""
        plan = self.store.plans.get(name)
        if self.shared is None:
            return Offer(plan if plan and plan.document else None)
        head = self.shared.heads.get(name)
        if head is None:
            return Offer(later=name in self.engine().inventory.nodes)
        if head.withdrawn:
            return Offer()
        ours = plan and head.names(plan.generation, plan.digest)
        return Offer(plan) if ours else Offer(later=True)

    def heads(self) -> dict[str, PlanHead]:
        """What each device is told, without the documents."""
        heads = self.store.plans.heads()
        if self.shared is None:
            return heads
        return {
            name: here if head.is_of(here := heads.get(name)) and here else _head_of(name, head)
            for name, head in self.shared.heads.items()
        }

    def head(self, name: str) -> PlanHead | None:
        """The same of one device; None for one that never had a plan."""
        here = self.store.plans.head(name)
        if self.shared is None:
            return here
        head = self.shared.heads.get(name)
        if head is None:
            return None
        return here if head.is_of(here) and here else _head_of(name, head)

    def take_touched(self) -> set[str]:
        """Of whom anything was written since the last time that somebody asked."""
        touched = self.store.take_touched()
        if self.shared is not None:
            touched |= self.shared.touched
            self.shared.touched = set()
        return touched

    def share(self, shared: Shared) -> None:
        """From now on replicas decide together; what they know is in the store."""
        self.shared = shared
        for page in self.store.pages.all():
            shared.take(dict(page.plans))
        self.forget()

    def forget(self) -> None:
        """Work everything out anew with the next change: we lead now, or do not any more."""
        self.store.forget_news()
        self._engine, self._told = None, None

    def _propose(self, shared: Shared, allotted: Mapping[str, Allocation]) -> None:
        """What came of a change, for all replicas to know."""
        shared.allotted |= allotted
        shared.proposed |= self._proposed
        if shared.waits and self.cluster:
            self.cluster.proposed()

    def refresh(self) -> None:
        """Make the plans anew, since settings or program may be others than those that made the present ones.

        Where that can't be done, devices go on with the plans that they have. Raises `StoreError`.
        """
        try:
            with self.change("orillo-cloud"):
                pass
        except (InventoryError, PlanningError) as error:
            log.error("event=plans-not-made reason=%s", json.dumps(str(error)))  # noqa: TRY400

    def check(self, changes: Sequence[Change]) -> None:
        """Raise `InventoryError` if no plans could be made after these changes of objects."""
        engine = self.engine()
        engine.undo(engine.take(News(tuple(changes))))

    def inventory(self) -> Inventory:
        """What the manifests say, with what its owner should know of it. Raises `InventoryError`."""
        engine = self.engine()
        return replace(engine.inventory, warnings=engine.warnings())

    def situation(self) -> Situation:
        """What plans are made of at present. Raises `InventoryError`."""
        engine = self.engine()
        return Situation(engine.inventory, self.settings.fabric, engine.allocations, engine.identities)

    def engine(self) -> Engine:
        """What plans are made of at present. Raises `InventoryError`."""
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    def _load(self) -> Engine:
        """An engine that knows what is in the store. Raises `InventoryError`."""
        engine = Engine(self.settings.fabric, lambda _: self.shared is None or self.shared.leads)
        objects = tuple(self.store.objects.all().items())
        taken = engine.take(News(objects, self.identities(), self.store.allocations.all()))
        self.store.forget_news()
        told = self.shared.heads.keys() if self.shared else self.store.plans.heads().keys()
        self._unseen = told | engine.devices
        self._unstored = taken.allotted
        return engine

    def _publish(self, trust: Trust, author: str) -> set[str]:
        """Make the plans that follow from the store and keep those that are news; whose they are."""
        engine = self.engine()
        touched = set(self._take_in(engine)) | self._unseen
        if self.shared:
            touched |= self.shared.looks
            self.shared.looks.clear()
        if trust != self._told:
            touched |= engine.devices
        heads = self.store.plans.heads(touched)
        made = [self._next(engine, name, heads.get(name), trust, author) for name in sorted(touched)]
        news = [plan for plan in made if plan]
        for plan in news:
            self.store.plans.put(plan)
        return {plan.name for plan in news}

    def _take_in(self, engine: Engine) -> Set[str]:
        """Let the engine know what was written to the store; whose plans may be others now."""
        valid = {name: self.store.devices.valid_instance(name) for name in self.store.devices.news}
        enrolments = {name: self.identity(name, who) if who else None for name, who in valid.items()}
        objects = tuple(self.store.objects.news.items())
        held = dict(self.store.allocations.news)
        self.store.forget_news()
        self._taken = engine.take(News(objects, enrolments, held))
        if self.shared is None or self.shared.leads:
            self.store.allocations.put(self._unstored | self._taken.allotted)
        return self._taken.touched

    def _next(
        self, engine: Engine, name: str, before: PlanHead | None, trust: Trust, author: str
    ) -> StoredPlan | None:
        """What to tell a device next, if that is another plan than the one `before`."""
        if self.shared:
            return self._next_of(self.shared, engine, name, before, trust, author)
        plan = engine.plan(name, trust, author)
        if plan is not None:
            return self._press.next_plan(plan, before, self.now())
        return without_plan(before) if before and not before.withdrawn else None

    def _next_of(
        self, shared: Shared, engine: Engine, name: str, here: PlanHead | None, trust: Trust, author: str
    ) -> StoredPlan | None:
        """The plan that all replicas tell the device, if it is not here yet; the next one, if we lead."""
        head, last = shared.heads.get(name), shared.last(name)
        if not shared.leads and (head is None or head.withdrawn or head.is_of(here)):
            return None
        plan = engine.plan(name, trust, author)
        if plan is None:
            if shared.leads and last and not last.withdrawn and engine.inventory.nodes:
                self._proposed[name] = last._replace(digest="")
            return None
        if last and last.generation >= shared.floors.get(name, 0):
            told = replace_field(plan, author=last.author)
            if last.names(last.generation, self._press.digest_as(told, last.generation)):
                shared.proposed.pop(name, None)  # it is as it was before what was proposed since
                return None if last.is_of(here) else self._press.numbered(told, last.generation, self.now())
        if not shared.leads:
            return None  # it is of other objects than we know by now, or of another release's program
        return self._numbered(shared, plan, last)

    def _numbered(self, shared: Shared, plan: Plan, last: Head | None) -> StoredPlan:
        """The next plan of a device, for all replicas to know."""
        name = plan.identity.name
        generation = max(last.generation if last else 0, shared.floors.get(name, 0)) + 1
        made = self._press.numbered(plan, generation, self.now())
        self._proposed[name] = Head.of(generation, made.digest, plan.author)
        return made

    def _go_back(self, known: bool) -> None:
        """The store is as it was before a change; the engine, if it was `known` by then, is to be so too."""
        self.store.forget_news()
        if not known:
            self._engine = None
        elif self._taken and self._engine:
            self._engine.undo(self._taken)


def _head_of(name: str, head: Head) -> PlanHead:
    return PlanHead(name, head.generation, head.digest, head.withdrawn)


def _some(names: Set[str]) -> str:
    """Names for a line of the log: all of them, if they are not too many."""
    first = sorted(names)[:_NAMES]
    return ",".join(first) + (f",and-{len(names) - _NAMES}-more" if len(names) > _NAMES else "")
