# SPDX-License-Identifier: Apache-2.0
"""The door to a Kubernetes API, on objects in memory, with versions, conflicts and watches."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Any

import msgspec

from cloud.source.api import Api, ApiError, Event, Listing


class KubeObjects:
    """What several clients of one server see. `wrote` is told each write, before anybody else."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[int, str, str, bytes]] = []
        self.wrote: Callable[[str, dict[str, Any]], None] = lambda _path, _body: None
        self.moved = asyncio.Event()
        self._versions = count(1)

    def put(self, path: str, body: dict[str, Any], kind: str = "MODIFIED") -> bytes:
        """Keep an object under a new version."""
        version = next(self._versions)
        metadata = body["metadata"] | {"resourceVersion": str(version)}
        body = body | {"metadata": metadata}
        raw = json.dumps(body).encode()
        if kind == "DELETED":
            del self.objects[path]
        else:
            self.objects[path] = body
            self.wrote(path, body)
        self.history.append((version, kind, path, raw))
        self.moved.set()
        self.moved = asyncio.Event()
        return raw


class FakeKubeApi:
    """One client. `pause` is awaited before and after each request reaches the server; `away` cuts it off."""

    def __init__(self, server: KubeObjects, pause: Callable[[], Any] | None = None) -> None:
        self.away = False
        self._server = server
        self._pause = pause

    async def list(self, path: str, selector: str = "") -> Listing:
        await self._reach()
        version = str(self._server.history[-1][0] if self._server.history else 0)
        bodies = [body for name, body in self._server.objects.items() if name.startswith(f"{path}/")]
        return Listing(version, [msgspec.Raw(json.dumps(body).encode()) for body in bodies])

    async def watch(self, path: str, version: str, selector: str = "") -> AsyncGenerator[Event, None]:
        seen = int(version)
        while True:
            await self._reach()
            for number, kind, name, raw in list(self._server.history):
                if number > seen and name.startswith(f"{path}/"):
                    seen = number
                    yield Event(kind, str(number), msgspec.Raw(raw))
            await self._server.moved.wait()

    async def get(self, path: str) -> bytes:
        await self._reach()
        if path not in self._server.objects:
            raise ApiError(f"{path} not found (404)", 404)
        raw = json.dumps(self._server.objects[path]).encode()
        await self._reach()
        return raw

    async def create(self, path: str, body: dict[str, Any]) -> bytes:
        await self._reach()
        name = f"{path}/{body['metadata']['name']}"
        if name in self._server.objects:
            raise ApiError(f"{name} exists (409)", 409)
        raw = self._server.put(name, body, "ADDED")
        await self._reach()
        return raw

    async def put(self, path: str, body: dict[str, Any]) -> bytes:
        await self._reach()
        self._check(path, body)
        raw = self._server.put(path, body)
        await self._reach()
        return raw

    async def patch(self, path: str, body: dict[str, Any]) -> bytes:
        await self._reach()
        self._check(path, body)
        raw = self._server.put(path, _merged(self._server.objects[path], body))
        await self._reach()
        return raw

    # The product's own, on the patch above.
    patch_at = Api.patch_at

    async def delete(self, path: str) -> None:
        await self._reach()
        if path not in self._server.objects:
            raise ApiError(f"{path} not found (404)", 404)
        self._server.put(path, self._server.objects[path], "DELETED")

    def _check(self, path: str, body: dict[str, Any]) -> None:
        found = self._server.objects.get(path)
        if found is None:
            raise ApiError(f"{path} not found (404)", 404)
        version = body.get("metadata", {}).get("resourceVersion", "")
        if version and version != found["metadata"]["resourceVersion"]:
            raise ApiError(f"{path} has been modified (409)", 409)

    async def _reach(self) -> None:
        if self._pause:
            await self._pause()
        if self.away:
            raise ApiError("no way there")


def _merged(old: Any, patch: Any) -> Any:
    """A merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
