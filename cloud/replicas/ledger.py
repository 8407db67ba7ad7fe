# SPDX-License-Identifier: Apache-2.0
"""The pages that replicas share, as this one knows them, and the one way in which they are changed.

A change is a function from a page to the page that is to be. It is written under the version that it was
made from; if another replica was faster, the page is read anew and the change is made again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from cloud.replicas.books import API_VERSION, LEDGER, PAGES, Ledger, Page, read_page, write_page
from cloud.source.api import Api, ApiError
from cloud.source.follower import Follower, View
from cloud.source.resources import Resource

log = logging.getLogger(__name__)

LEDGERS = Resource(LEDGER, API_VERSION, Ledger, definition="ledgers.orillo.io")
_CONFLICT, _NOT_FOUND = 409, 404
#: As many others may be faster, one after the other, before we give up.
_TRIES = 100

Edit = Callable[[Page], Page | None]
#: Pages before and after, of all that came together.
Turned = Callable[[list[tuple[Page, Page]]], None]


class LedgerError(ApiError):
    """A page that can't be read or written; the text says which, and what to do."""


class Pages:
    """The ledger. `turned` is told each change, whoever made it, before anybody else sees it here."""

    def __init__(self, api: Api, turned: Turned, known: Iterable[Page] = ()) -> None:
        self._api = api
        self._turned = turned
        self._pages = {page.name: page for page in known}
        self._looks: dict[str, asyncio.Future[None]] = {}
        self.view = _PagesView(self)

    @property
    def listed(self) -> bool:
        """Whether all pages that there are have been seen."""
        return self.view.listed

    def get(self, name: str) -> Page | None:
        """A page as it is known here."""
        return self._pages.get(name)

    def all(self) -> Mapping[str, Page]:
        """Every page that was ever seen."""
        return self._pages

    async def follow(self, changed: Callable[[], None]) -> None:
        """Keep up with the server until cancelled."""
        try:
            await Follower(self._api, self.view, changed).run()
        finally:
            for look in self._looks.values():
                look.cancel()
            await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def change(self, name: str, edit: Edit) -> Page:
        """Make a change; what the page is after it. An `edit` that returns None leaves it as it is.

        Raises `ApiError`, after which nobody knows whether it was made, and whatever `edit` raises.
        """
        for _ in range(_TRIES):
            page = self._pages.get(name) or Page(name)
            wanted = edit(page)
            if wanted is None:
                return page
            try:
                return await self._put(replace(wanted, serial=page.serial + 1, version=page.version))
            except ApiError as error:
                gone = error.status == _NOT_FOUND and page.version
                if error.status != _CONFLICT and not gone:
                    raise
            await self._read(name)
        raise LedgerError(f"the Ledger {name} is changed by others all the time: try again", _CONFLICT)

    async def look(self, name: str) -> None:
        """Read a page from the server, as it is after this call; those who ask together wait for one answer.

        Raises `ApiError`.
        """
        if (running := self._looks.get(name)) is not None:
            await asyncio.wait([running])  # it began before we asked, and may be too old for us
        if (running := self._looks.get(name)) is None:
            running = asyncio.ensure_future(self._read(name))
            self._looks[name] = running
            running.add_done_callback(lambda _: self._looks.pop(name, None))
        await asyncio.shield(running)

    async def _read(self, name: str) -> None:
        try:
            self.take([_page(await self._api.get(LEDGERS.path_of(name)))], now=True)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            if (page := self._pages.get(name)) is not None:  # somebody deleted it: it is made again
                self._pages[name] = replace(page, version="")

    async def _put(self, page: Page) -> Page:
        body = write_page(page)
        if page.version:
            made = await self._api.put(LEDGERS.path_of(page.name), body)
        else:
            made = await self._api.create(LEDGERS.path, body)
        written = _page(made)
        self.take([written])
        return written

    def take(self, pages: Iterable[Page], *, now: bool = False) -> bool:
        """Know these; whether they are news. An older one than what is known is not believed.

        `now`: this is what the server has at this moment. If that is older, etcd was restored from a backup,
        and what is known here is written over it with the next change.
        """
        turned = []
        for page in pages:
            old = self._pages.get(page.name) or Page(page.name)
            if page.name not in PAGES:
                continue
            if page.serial > old.serial:
                self._pages[page.name] = page
                turned.append((old, page))
            elif page.serial == old.serial or now:
                self._pages[page.name] = replace(old, version=page.version)
        if turned:
            self._turned(turned)
        return bool(turned)


class _PagesView(View):
    """The ledger's end of a `Follower`."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(LEDGERS)
        self._known = pages

    def replace(self, raws: Iterable[msgspec.Raw]) -> bool:
        first = not self.listed
        self.listed = True
        return self._known.take([_page(raw) for raw in raws]) or first

    def put(self, raw: msgspec.Raw) -> bool:
        return self._known.take([_page(raw)])

    def delete(self, raw: msgspec.Raw) -> bool:
        """What was in it is still known, and the leader's next write makes it again."""
        log.error("event=ledger-deleted page=%s", _page(raw).name)
        return False


def _page(raw: bytes | msgspec.Raw) -> Page:
    try:
        body: Any = msgspec.json.decode(raw)
        return read_page(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LedgerError(f"a Ledger can't be read: {error}: put it back from a backup") from error
