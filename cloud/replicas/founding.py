# SPDX-License-Identifier: Apache-2.0
"""What an operator that was alone with its store brings to a cluster: enrolments, prefixes, numbers."""

from msgspec.structs import replace

from cloud.planner.allocation import Allocation
from cloud.replicas.books import DEVICES, PAGES, PLANS, Head, Page, Record, page_of
from cloud.replicas.ledger import Pages
from cloud.source.api import Api
from cloud.store.store import Store


def founded(store: Store, name: str) -> Page:
    """A page from what the store has of the devices on it; of plans the numbers alone, to go on from."""
    enrolments, held = store.devices.enrolments(), store.allocations.all()
    devices = {
        device: Record(enrolments.get(device, ())).given(held.get(device, Allocation()))
        for device in enrolments.keys() | held.keys()
        if page_of(DEVICES, device) == name
    }
    plans = {
        device: Head(head.generation, "", "orillo-cloud")
        for device, head in store.plans.heads().items()
        if page_of(PLANS, device) == name
    }
    return Page(name, devices=devices, plans=plans)


async def found(api: Api, store: Store) -> None:
    """Write all that the store has to the Ledgers; what these know already is not changed. Raises `ApiError`.

    Numbers go on from the higher ones.
    """
    pages = Pages(api, lambda _: None)

    def edit(page: Page) -> Page | None:
        ours = founded(store, page.name)
        plans = {
            device: head if head.generation > _number(page, device) else page.plans[device]
            for device, head in ours.plans.items()
        }
        whole = replace(page, devices=ours.devices | page.devices, plans=page.plans | plans)
        return None if (whole.devices, whole.plans) == (page.devices, page.plans) else whole

    for name in PAGES:
        await pages.look(name)
        await pages.change(name, edit)


def _number(page: Page, device: str) -> int:
    return page.plans[device].generation if device in page.plans else 0
