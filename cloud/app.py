# SPDX-License-Identifier: Apache-2.0
"""The application: the store, the keys, and the one way in which anything changes.

A change is written, every plan is worked out anew from what then is in the store, and all of it is kept
together or not at all. So no inventory is ever kept that no plans can be made of.
"""

import json
import logging
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Trust
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.ca.policy import revocation_matters_from
from cloud.paths import CloudPaths
from cloud.planner.allocation import Allocation, AllotmentError, allot
from cloud.planner.compile import make_plans
from cloud.planner.fabric import Fabric
from cloud.planner.inventory import Inventory, InventoryError, read_inventory
from cloud.publish import PlanningError, next_plan, without_plan
from cloud.settings import Settings, read_settings
from cloud.store.store import Store

log = logging.getLogger(__name__)


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
    allocations: dict[str, Allocation]
    identities: dict[str, Identity]


@dataclass
class App:
    """What every command and every request works with.

    `changed` is told the devices that have a new plan, or were revoked. `seen` is when each device last
    asked for its plan. `follows` is the Kubernetes API whose objects are mirrored here; it is empty where
    manifests are applied to this operator itself.
    """

    settings: Settings
    store: Store
    issuer: Issuer
    plan_key: PlanKey
    now: Callable[[], datetime] = utc_now
    changed: Callable[[Set[str]], None] = _nobody
    seen: dict[str, datetime] = field(default_factory=dict)
    follows: str = ""

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
        with self.store.transaction():
            yield news
            news |= self._publish(author)
        if news:
            log.info("event=changed author=%s devices=%s", author, ",".join(sorted(news)))
            self.changed(news)

    def refresh(self) -> None:
        """Make the plans anew, since settings or program may be others than those that made the present ones.

        Where that can't be done, devices go on with the plans that they have. Raises `StoreError`.
        """
        try:
            with self.change("orillo-cloud"):
                pass
        except (InventoryError, AllotmentError, PlanningError) as error:
            log.error("event=plans-not-made reason=%s", json.dumps(str(error)))  # noqa: TRY400

    def inventory(self) -> Inventory:
        """What the manifests say. Raises `InventoryError`."""
        return read_inventory(self.store.objects.all().values(), self.settings.fabric)

    def situation(self) -> Situation:
        """What plans would be made of at present. Raises `InventoryError` and what `allot` raises."""
        fabric, inventory = self.settings.fabric, self.inventory()
        allocations = allot(inventory, fabric, self.store.allocations.all())
        return Situation(inventory, fabric, allocations, self.identities())

    def _publish(self, author: str) -> set[str]:
        """Make the plans that follow from the store and keep those that are news; whose they are."""
        now = self.situation()
        self.store.allocations.put(now.allocations)
        plans = make_plans(now.inventory, now.fabric, now.allocations, now.identities, self.trust, author)
        kept = self.store.plans.all()
        made = [next_plan(plan, kept.get(name), self.plan_key, self.now()) for name, plan in plans.items()]
        gone = [without_plan(plan) for name, plan in kept.items() if plan.document and name not in plans]
        news = [plan for plan in made if plan] + gone
        for plan in news:
            self.store.plans.put(plan)
        return {plan.name for plan in news}
