# SPDX-License-Identifier: Apache-2.0
"""The application: the store, the keys, and the one way in which anything changes.

A change is written, every plan is worked out anew from what then is in the store, and all of it is kept
together or not at all. So no inventory is ever kept that no plans can be made of.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Trust
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
from cloud.settings import Settings, read_settings
from cloud.store.plans import StoredPlan
from cloud.store.store import Store
from cloud.store.tokens import StoredToken
from cloud.talks import Talks

log = logging.getLogger(__name__)

#: How many devices a line of the log names.
_NAMES = 20


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _nobody(_: Set[str]) -> None:
    """Where no server runs, nobody waits for news."""


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
    #: Uses a token of the cluster's up, given its id, its secret, and whom its holder wants to be.
    redeem: Callable[[str, str, str], Awaitable[StoredToken]] | None = None
    _engine: Engine | None = field(default=None, init=False)
    _taken: Taken | None = field(default=None, init=False)
    _told: Trust | None = field(default=None, init=False)
    _unseen: Set[str] = field(default=frozenset(), init=False)
    _unstored: dict[str, Allocation] = field(default_factory=dict, init=False)

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
        revoked = self.store.devices.revoked_since(revocation_matters_from(self.now()))
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
        self._taken = None
        try:
            with self.store.transaction():
                yield news
                trust = self.trust
                news |= self._publish(trust, author)
        except BaseException:
            self._go_back(known)
            raise
        self._told, self._unseen, self._unstored = trust, frozenset(), {}
        if news:
            log.info("event=changed author=%s devices=%s", author, _some(news))
            self.changed(news)

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
        engine = Engine(self.settings.fabric)
        objects = tuple(self.store.objects.all().items())
        taken = engine.take(News(objects, self.identities(), self.store.allocations.all()))
        self.store.forget_news()
        self._unseen = self.store.plans.heads().keys() | engine.devices
        self._unstored = taken.allotted
        return engine

    def _publish(self, trust: Trust, author: str) -> set[str]:
        """Make the plans that follow from the store and keep those that are news; whose they are."""
        engine = self.engine()
        touched = set(self._take_in(engine)) | self._unseen
        if trust != self._told:
            touched |= engine.devices
        made = [self._next(engine, name, trust, author) for name in sorted(touched)]
        news = [plan for plan in made if plan]
        for plan in news:
            self.store.plans.put(plan)
        return {plan.name for plan in news}

    def _take_in(self, engine: Engine) -> Set[str]:
        """Let the engine know what was written to the store; whose plans may be others now."""
        valid = {name: self.store.devices.valid_instance(name) for name in self.store.devices.news}
        enrolments = {name: self.identity(name, who) if who else None for name, who in valid.items()}
        objects = tuple(self.store.objects.news.items())
        self.store.forget_news()
        self._taken = engine.take(News(objects, enrolments))
        self.store.allocations.put(self._unstored | self._taken.allotted)
        return self._taken.touched

    def _next(self, engine: Engine, name: str, trust: Trust, author: str) -> StoredPlan | None:
        plan, before = engine.plan(name, trust, author), self.store.plans.head(name)
        if plan is not None:
            return self._press.next_plan(plan, before, self.now())
        return without_plan(before) if before and not before.withdrawn else None

    def _go_back(self, known: bool) -> None:
        """The store is as it was before a change; the engine, if it was `known` by then, is to be so too."""
        self.store.forget_news()
        if not known:
            self._engine = None
        elif self._taken and self._engine:
            self._engine.undo(self._taken)


def _some(names: Set[str]) -> str:
    """Names for a line of the log: all of them, if they are not too many."""
    first = sorted(names)[:_NAMES]
    return ",".join(first) + (f",and-{len(names) - _NAMES}-more" if len(names) > _NAMES else "")
