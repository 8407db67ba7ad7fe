# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes API that does what a test tells it, for what a real one can't be made to do on demand.

What it answers is a script: each list takes the next listing, each watch the next stream. The real server
stands in tests/kube; here are only the ends of streams, refusals and silences that it has no button for.
"""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from cloud.source.access import Access
from cloud.source.api import Api

#: One answer: a status with its body, or what a stream sends; an exception in it is raised there.
Step = tuple[int, Any] | list[bytes | Exception]


class ScriptedApi:
    """Answers from the script, in turn; the last step is given again and again. `asked` has each request."""

    def __init__(self, lists: list[Step], watches: list[Step]) -> None:
        self.asked: list[httpx.Request] = []
        self._lists, self._watches = _repeating(lists), _repeating(watches)
        self.definitions: tuple[int, Any] = (200, {})

    def api(self) -> Api:
        """A door to it."""
        access = Access("https://kubernetes.test", ssl.create_default_context(), lambda: "a-token")
        return Api(access, transport=httpx.MockTransport(self._answer))

    def count(self, what: Callable[[httpx.Request], bool]) -> int:
        """How many requests were like this."""
        return sum(map(what, self.asked))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if "customresourcedefinitions" in request.url.path:
            step: Step = self.definitions
        else:
            step = next(self._watches if is_watch(request) else self._lists)
        if isinstance(step, list):
            return httpx.Response(200, stream=_Stream(step))
        return httpx.Response(step[0], json=step[1])


class _Stream(httpx.AsyncByteStream):
    def __init__(self, parts: list[bytes | Exception]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part


def _repeating(steps: list[Step]) -> Iterator[Step]:
    yield from steps
    while True:
        yield steps[-1]


def is_watch(request: httpx.Request) -> bool:
    """Whether it asks for a watch."""
    return "watch" in request.url.params


def node(name: str, version: str = "1", **labels: str) -> dict[str, Any]:
    """A Node as a list has it."""
    return {"metadata": {"name": name, "resourceVersion": version, "labels": labels}}


def listing(version: str, *items: dict[str, Any], more: str = "") -> tuple[int, Any]:
    """One page of a list."""
    return 200, {"metadata": {"resourceVersion": version, "continue": more}, "items": list(items)}


def event(kind: str, body: dict[str, Any]) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    """A line that says how far we are."""
    return event("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": version}})


def status(code: int, reason: str) -> dict[str, Any]:
    """A `metav1.Status`."""
    return {"kind": "Status", "code": code, "reason": reason, "message": f"{reason} it is"}
