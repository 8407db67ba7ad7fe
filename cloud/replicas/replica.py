# SPDX-License-Identifier: Apache-2.0
"""One of several operators on a cluster: what it hears of the others, what it tells them, how it leads.

The leader alone gives prefixes and numbers plans. Before it does either, it puts its mark on every page of
the ledger, and reads in doing so what the leader before it wrote last. From then on that one's writes fail,
also if it was only asleep and believes that it leads: each write is a compare-and-swap on a page that has
another mark. So what two leaders do is never mixed, whatever clocks and Leases say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from cloud import token_objects
from cloud.app import App
from cloud.ca.policy import revocation_matters_from
from cloud.planner.allocation import Allocation
from cloud.planner.model import InventoryError
from cloud.publish import PlanningError
from cloud.replicas.books import (
    DEVICES,
    PAGES,
    PLANS,
    Head,
    Page,
    Record,
    by_page,
    changed,
    page_of,
)
from cloud.replicas.founding import founded
from cloud.replicas.lease import Election, quoted
from cloud.replicas.ledger import Edit, Pages
from cloud.replicas.shared import Batch, Shared
from cloud.source.api import Api, ApiError
from cloud.store.tokens import Refused, StoredToken, TokenRefusedError

log = logging.getLogger(__name__)

#: How often the Lease is looked at, in seconds.
_TURN = 1.0
#: After a write that failed, in seconds.
_AGAIN = 0.5
#: etcd keeps every version of a page for some minutes: so many bytes a second are written, on average.
_RATE = 250_000
_A_HEAD = 80
#: No device was ever told so many plans: one that says so is not believed.
_HIGHEST = 1 << 48


class OutrunError(Exception):
    """Another replica leads: its mark is on the ledger."""


class Replica:
    """A `Cluster` of the application's. `run` keeps it going."""

    def __init__(self, app: App, api: Api, election: Election) -> None:
        self.election = election
        if app.shared is None:
            app.share(Shared())
        assert app.shared is not None  # noqa: S101 -- for the type checker
        self.shared: Shared = app.shared
        self._app = app
        self._api = api
        self.pages = Pages(api, self._turned, app.store.pages.all())
        self._work = asyncio.Event()
        self._told = ""
        app.cluster = self

    async def run(self, ready: Callable[[], bool]) -> None:
        """Follow the others, and lead if it is our turn; not before we are `ready`, with all objects seen."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.pages.follow(lambda: None))
                tasks.create_task(self._take_turns(ready))
                tasks.create_task(self._publish())
        finally:
            await self._end()

    async def token(self, token_id: str, secret: str) -> StoredToken:
        return await token_objects.find(self._api, token_id, secret)

    async def redeem(self, token_id: str, secret: str, asked: str) -> None:
        await token_objects.redeem(self._api, token_id, secret, asked, self._app.now())

    async def enroll(self, name: str, instance: str, key: str, *, alone: bool) -> None:
        def edit(record: Record) -> Record:
            if alone and record.valid:
                raise TokenRefusedError(Refused.TAKEN)
            return record.enrolled(instance, self._app.now(), key)

        await self._change_record(name, edit)

    async def add_token(self, body: dict[str, Any]) -> None:
        await token_objects.add(self._api, body)

    async def tokens(self) -> list[StoredToken]:
        return await token_objects.tokens(self._api)

    async def forget_token(self, token_id: str) -> bool:
        return await token_objects.forget(self._api, token_id)

    async def revoke(self, name: str) -> bool:
        was_in = False

        def edit(record: Record) -> Record | None:
            nonlocal was_in
            was_in = record.valid is not None
            return record.shut_out(self._app.now()) if was_in else None

        await self.look(name)
        await self._change_record(name, edit)
        return was_in

    async def has(self, name: str, generation: int) -> None:
        head = self.shared.last(name)
        if generation <= (head.generation if head else 0) or generation > _HIGHEST:
            return
        await self.look(name)
        head = self.shared.last(name)
        if generation > (head.generation if head else 0):
            log.warning("event=number-ahead device=%s generation=%d", name, generation)
            await self._change_record(
                name, lambda record: replace(record, floor=generation) if record.floor < generation else None
            )

    async def look(self, name: str) -> None:
        await asyncio.gather(*(self.pages.look(page_of(book, name)) for book in (DEVICES, PLANS)))

    def waits_for(self) -> str:
        return "" if self.pages.listed or self.pages.all() else "the cluster's Ledgers"

    def proposed(self) -> None:
        self._work.set()

    async def _change_record(self, name: str, edit: Callable[[Record], Record | None]) -> None:
        def edit_page(page: Page) -> Page | None:
            record = edit(page.devices.get(name, Record()))
            return None if record is None else replace(page, devices={**page.devices, name: record})

        await self.pages.change(page_of(DEVICES, name), edit_page)

    # What is heard

    def _turned(self, turned: list[tuple[Page, Page]]) -> None:
        """Pages are others than before; we may have written them ourselves."""
        heads: dict[str, Head | None] = {}
        for old, new in turned:
            heads |= changed(old.plans, new.plans)
            self.shared.raise_floors({name: record.floor for name, record in new.devices.items()})
        self.shared.take(heads)
        try:
            with self._app.change("enrolment"):
                names = self._keep(turned)
        except (InventoryError, PlanningError) as error:
            log.error("event=plans-not-made reason=%s", quoted(error))  # noqa: TRY400
            with self._app.store.transaction():
                names = self._keep(turned)
            self._app.forget()
        self._app.changed(heads.keys() | names)

    def _keep(self, turned: Iterable[tuple[Page, Page]]) -> set[str]:
        """What pages say, in the tables that all of the operator works with; whose records are others."""
        store, names = self._app.store, set[str]()
        for old_page, page in turned:
            store.pages.put([page])
            for name, found in changed(old_page.devices, page.devices).items():
                names.add(name)
                old, record = old_page.devices.get(name, Record()), found or Record()
                if old.enrolments != record.enrolments:
                    store.devices.mirror(name, record.enrolments)
                # What a leader gave and has not written yet is newer than what it hears of itself.
                if not self.shared.leads and old.allocation != record.allocation:
                    store.allocations.mirror(name, record.allocation)
        return names

    # Leading

    async def _take_turns(self, ready: Callable[[], bool]) -> None:
        while True:
            if ready() and self.pages.listed:
                await self._take_turn()
            await asyncio.sleep(_TURN)

    async def _take_turn(self) -> None:
        try:
            ours = await self.election.step()
            if ours and not self.shared.leads:
                await self._take_over()
        except (ApiError, OutrunError) as error:
            self._tell(error)
            ours = self.election.leads
        else:
            self._told = ""
        if not ours and self.shared.leads:
            self._step_down()

    async def _take_over(self) -> None:
        """Put our mark on every page. Raises `ApiError` and `OutrunError`; then we do not lead."""
        await _all(self.pages.look(name) for name in PAGES)
        epoch = max((page.epoch for page in self.pages.all().values()), default=0) + 1
        store = self._app.store
        first = {name: founded(store, name) for name in PAGES if name not in self.pages.all()}

        def mark(page: Page) -> Page:
            if page.epoch >= epoch:
                raise OutrunError(f"{page.holder} has marked the ledger")
            known = page if page.serial else first.get(page.name, page)
            return replace(known, epoch=epoch, holder=self.election.identity)

        await _all(self.pages.change(name, mark) for name in PAGES)
        self.shared.epoch = epoch
        log.info("event=leading epoch=%d", epoch)
        self._app.forget()
        self._app.refresh()

    def _step_down(self) -> None:
        log.warning("event=leading-no-more")
        self.shared.follow()
        store = self._app.store
        with store.transaction():
            held = {n: r.allocation for page in self.pages.all().values() for n, r in page.devices.items()}
            for name in store.allocations.all().keys() | held.keys():
                store.allocations.mirror(name, held.get(name, Allocation()))
        self._app.forget()
        self._app.refresh()

    async def _publish(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if not self.shared.leads or not self.shared.waits:
                continue
            batch = self.shared.drain()
            try:
                await self._write(batch)
            except OutrunError as error:
                self._tell(error)
                if self.shared.epoch == batch.epoch:  # and not leading again by now
                    self._step_down()
            except ApiError as error:
                self._tell(error)
                self.shared.put_back(batch)
                self._work.set()
                await asyncio.sleep(_AGAIN)
            else:
                self.shared.landed(batch)
                part = len(by_page(PLANS, batch.heads)) / len(by_page(PLANS, self.shared.heads) or (1,))
                await asyncio.sleep(part * len(self.shared.heads) * _A_HEAD / _RATE)

    async def _write(self, batch: Batch) -> None:
        """First what devices were given, then what they are told: no plan names what may yet be another's."""
        given = by_page(DEVICES, batch.allotted)
        await self._write_pages({page: self._give(batch, names) for page, names in given.items()}, batch)
        told = by_page(PLANS, batch.heads)
        await self._write_pages({page: _head(batch, names) for page, names in told.items()}, batch)

    async def _write_pages(self, edits: Mapping[str, Edit], batch: Batch) -> None:
        def fenced(edit: Edit) -> Edit:
            def checked(page: Page) -> Page | None:
                if (page.epoch, page.holder) != (batch.epoch, self.election.identity):
                    raise OutrunError(f"{page.holder} has marked the ledger")
                return edit(page)

            return checked

        await _all(self.pages.change(name, fenced(edit)) for name, edit in edits.items())

    def _give(self, batch: Batch, names: Iterable[str]) -> Edit:
        def edit(page: Page) -> Page | None:
            given = {name: page.devices.get(name, Record()).given(batch.allotted[name]) for name in names}
            devices = _without_old({**page.devices, **given}, revocation_matters_from(self._app.now()))
            return None if devices == page.devices else replace(page, devices=devices)

        return edit

    async def _end(self) -> None:
        """Let another one lead at once."""
        if self.shared.leads:
            self.shared.follow()
            try:
                await self.election.give_up()
            except ApiError as error:
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Log what is wrong when it begins, not with every turn."""
        if self._told != str(error):
            log.warning("event=ledger-failed reason=%s", quoted(error))
        self._told = str(error)


def _head(batch: Batch, names: Iterable[str]) -> Edit:
    def edit(page: Page) -> Page | None:
        plans = {**page.plans, **{name: batch.heads[name] for name in names}}
        return None if plans == page.plans else replace(page, plans=plans)

    return edit


def _without_old(devices: Mapping[str, Record], before: datetime) -> dict[str, Record]:
    return {name: record.without(before) for name, record in devices.items()}


async def _all(work: Iterable[Awaitable[object]]) -> None:
    """Wait for all of it; the first failure is raised when all have come to an end."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
