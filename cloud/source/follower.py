# SPDX-License-Identifier: Apache-2.0
"""One collection of a Kubernetes API, followed: list, then watch, and what to do when either ends.

The view is always something that the server once had. After a gap in what was watched (410) the whole is
listed again, and what is no longer in it is deleted here too.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from cloud.source.api import Api, ApiError, Event, ExpiredError, Silence
from cloud.source.resources import ObjectError, Resource
from cloud.source.source import Key

if TYPE_CHECKING:
    from cloud.source.manifest import Manifest

log = logging.getLogger(__name__)

#: Pauses in seconds: the first one, then twice as much each time, up to the longest.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
#: A watch that lived so long, in seconds, is opened again at once, and forgives earlier failures.
_LONG = 5.0
#: How long a resource that the cluster does not have is left alone, in seconds.
_ABSENT_PAUSE = 15.0
#: Statuses that say nothing about the version we asked from: too many requests, and a server that starts.
_LATER = (0, 429, 503)

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class View:
    """The objects of one resource as last heard of; `listed` once all of them have been seen."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.objects: dict[Key, Manifest] = {}
        self.listed = False
        #: What may be different since somebody emptied this.
        self.news: set[Key] = set()
        #: Is told each object as it comes, by its name, also what of it is not kept here; None if it is gone.
        self.heard: Callable[[str, msgspec.Raw | None], None] = lambda _name, _raw: None
        self._faults: dict[Key, str] = {}

    @property
    def faults(self) -> dict[Key, str]:
        """The objects that can't be used as they are now, and why; the view goes on with what they were."""
        return dict(self._faults)

    def replace(self, raws: Iterable[msgspec.Raw]) -> bool:
        """Make the view what was listed; whether anything is different now."""
        changed = not self.listed
        seen: set[Key] = set()
        for raw in raws:
            seen.add(self.resource.key(raw))
            changed |= self.put(raw)
        for key in self.objects.keys() | self._faults.keys():
            if key not in seen:
                changed |= self._drop(key)
        self.listed = True
        return changed

    def put(self, raw: msgspec.Raw) -> bool:
        """Take in an object that was added or changed; whether anything that we read is different now."""
        key = self.resource.key(raw)
        self.heard(key[2], raw)
        try:
            manifest = self.resource.read(raw)
        except ObjectError as error:
            if self._faults.get(key) != str(error):
                log.warning("event=object-unusable reason=%s", json.dumps(str(error)))
            self._faults[key] = str(error)
            return False
        self._faults.pop(key, None)
        if self.objects.get(key) == manifest:
            return False
        self.objects[key] = manifest
        self.news.add(key)
        return True

    def delete(self, raw: msgspec.Raw) -> bool:
        """Forget an object; whether it was there."""
        return self._drop(self.resource.key(raw))

    def _drop(self, key: Key) -> bool:
        self._faults.pop(key, None)
        self.news.add(key)
        self.heard(key[2], None)
        return self.objects.pop(key, None) is not None


class Follower:
    """Keeps one view like the server's. `changed` is called after each change of the view."""

    def __init__(
        self,
        api: Api,
        view: View,
        changed: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._view = view
        self._resource = view.resource
        self._changed = changed
        self._sleep = sleep
        self._clock = clock
        #: Where the next watch begins; empty before the first list, and after a gap.
        self._version = ""
        self._heard = False

    async def run(self) -> None:
        """Follow until cancelled."""
        failures = 0
        while True:
            started, self._heard = self._clock(), False
            trouble = await self._step()
            lived = self._clock() - started >= _LONG
            if self._heard or lived:
                failures = 0
            if trouble is not None or not lived:
                await self._sleep(_pause(failures, trouble.retry_after if trouble else 0.0))
                failures += 1

    async def _step(self) -> ApiError | None:
        """List if need be, then one watch to its end; the trouble that it ended with."""
        try:
            if not self._version and not await self._list():
                await self._sleep(_ABSENT_PAUSE)
                return None
            await self._watch()
        except ExpiredError:
            self._version = ""
            log.info("event=relist resource=%s", self._resource.title)
        except ApiError as error:
            if error.status not in _LATER:
                self._version = ""  # perhaps the version itself: a restored etcd counts from a lower one
            log.warning(
                "event=api-failed resource=%s reason=%s", self._resource.title, json.dumps(str(error))
            )
            return error
        return None

    async def _list(self) -> bool:
        """Make the view what the server has now; False if it does not have the resource at all."""
        try:
            listing = await self._api.list(self._resource.path, self._resource.selector)
        except ApiError as error:
            if error.status != 404 or await self._is_defined():
                raise
            self._tell(self._view.replace(()))
            return False
        self._tell(self._replace(listing.items))
        self._version = listing.version
        return True

    def _replace(self, items: list[msgspec.Raw]) -> bool:
        try:
            return self._view.replace(items)
        except ObjectError as error:
            raise ApiError(str(error)) from error

    async def _is_defined(self) -> bool:
        """Whether the cluster has the resource's definition.

        A server that has just started answers 404 for custom resources that it will serve in a moment. Were
        that taken for "there are none", every community would be gone, and with it who may talk to whom.
        """
        if not self._resource.definition:
            return True
        try:
            await self._api.get(f"{_DEFINITIONS}/{self._resource.definition}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _watch(self) -> None:
        events = self._api.watch(self._resource.path, self._version, self._resource.selector)
        try:
            async with aclosing(events):
                async for event in events:
                    self._heard = True
                    self._tell(self._take(event))
                    self._version = event.version or self._version
        except Silence as silence:
            log.info(
                "event=watch-silent resource=%s reason=%s", self._resource.title, json.dumps(str(silence))
            )

    def _take(self, event: Event) -> bool:
        try:
            if event.type in ("ADDED", "MODIFIED"):
                return self._view.put(event.object)
            return event.type == "DELETED" and self._view.delete(event.object)
        except ObjectError as error:
            raise ApiError(str(error)) from error

    def _tell(self, changed: bool) -> None:
        if changed:
            self._changed()


def _pause(failures: int, asked: float) -> float:
    """How long to leave the server alone, in seconds; never all of its clients at the same moment."""
    grown = min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
    spread: float = random.uniform(0.7, 1.0)  # noqa: S311 -- no secret
    return max(asked, grown * spread)
