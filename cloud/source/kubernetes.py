# SPDX-License-Identifier: Apache-2.0
"""The manifests in a Kubernetes API, kept like the server's by one follower for each resource."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from cloud.source.api import Api
from cloud.source.follower import Follower, View
from cloud.source.manifest import Manifest
from cloud.source.resources import RESOURCES, Resource
from cloud.source.source import Key, NotReadyError


class KubernetesSource:
    """A `Source`. `changed` is set whenever anything in it is different from before."""

    def __init__(self, api: Api, resources: Sequence[Resource] = RESOURCES) -> None:
        self.changed = asyncio.Event()
        self._api = api
        self._views = [View(resource) for resource in resources]

    @property
    def ready(self) -> bool:
        """Whether every resource has been listed once."""
        return not self.missing

    @property
    def missing(self) -> list[str]:
        """The resources that have not been listed yet."""
        return [view.resource.title for view in self._views if not view.listed]

    @property
    def faults(self) -> dict[Key, str]:
        """The objects that can't be used, and why."""
        return {key: fault for view in self._views for key, fault in view.faults.items()}

    def all(self) -> dict[Key, Manifest]:
        """Every object. Raises `NotReadyError` until all of them have been seen once."""
        if not self.ready:
            raise NotReadyError(
                f"the Kubernetes API has not yet been read: waiting for {', '.join(self.missing)}"
            )
        found = {key: manifest for view in self._views for key, manifest in view.objects.items()}
        return dict(sorted(found.items()))

    def get(self, key: Key) -> Manifest | None:
        """One object, or None if there is none."""
        found = (view.objects.get(key) for view in reversed(self._views))
        return next((manifest for manifest in found if manifest is not None), None)

    def hear(self, resource: Resource, heard: Callable[[str, msgspec.Raw | None], None]) -> None:
        """Let `heard` know each object of a resource as it comes; None for one that is gone."""
        for view in self._views:
            if view.resource is resource:
                view.heard = heard

    def take_news(self) -> set[Key]:
        """The keys of all that may be different since the last call."""
        news = {key for view in self._views for key in view.news}
        for view in self._views:
            view.news.clear()
        return news

    async def run(self) -> None:
        """Follow the server until cancelled."""
        async with asyncio.TaskGroup() as followers:
            for view in self._views:
                followers.create_task(Follower(self._api, view, self.changed.set).run())
