# SPDX-License-Identifier: Apache-2.0
"""The door to a Kubernetes API: lists, watches, and the few writes that the operator makes.

The only importer of `httpx` in the operator. Every method raises `ApiError` and nothing else of the
network's. Objects stay bytes here (`msgspec.Raw`): whoever asked knows which of their fields it needs.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import msgspec

from cloud.source.access import Access, AccessError

#: A watch on which nothing came for so long is opened anew, in seconds; bookmarks come each minute or so,
#: but a path that died without a word looks just as silent.
SILENCE = 90.0
#: How many objects a server puts into one answer.
PAGE = 500
#: After so many seconds the server ends a watch, so that watches move to a server that was added.
_WATCH_LIFE = 900
_CONNECT = 10.0
_ANSWER = 30.0
_MOMENT = 1.0
#: An object in etcd is at most 1.5 MiB; a line longer than this is none.
_LONGEST_LINE = 16 << 20

T = TypeVar("T")

_CONFLICT = 409
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class ApiError(Exception):
    """A request that the server refused (`status`), or that never got an answer (`status` 0).

    `retry_after` is how many seconds the server asks to be left alone.
    """

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ExpiredError(ApiError):
    """The version or the continuation is too old for the server (410): list anew."""


class Silence(ApiError):
    """Nothing came on a watch, not even a bookmark."""


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    items: list[msgspec.Raw] = []


class _Status(msgspec.Struct, frozen=True):
    message: str = ""
    reason: str = ""
    code: int = 0


class _Versioned(msgspec.Struct, frozen=True):
    metadata: _Meta


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


@dataclass(frozen=True)
class Listing:
    """All objects of one resource as they were at `version`."""

    version: str
    items: list[msgspec.Raw]


@dataclass(frozen=True)
class Event:
    """One line of a watch: `ADDED`, `MODIFIED`, `DELETED`, or `BOOKMARK`, which carries no object."""

    type: str
    version: str
    object: msgspec.Raw


class Api:
    """One server, with a pool of connections to it."""

    def __init__(
        self, access: Access, silence: float = SILENCE, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._access = access
        self._silence = silence
        self._client = httpx.AsyncClient(
            base_url=access.server,
            transport=transport or httpx.AsyncHTTPTransport(verify=access.context),
            timeout=httpx.Timeout(_ANSWER, connect=_CONNECT),
            trust_env=False,
        )

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    async def list(self, path: str, selector: str = "", page: int = PAGE, token: str = "") -> Listing:
        """All objects below `path`, by pages that together are one consistent view; from `token` on.

        Raises `ExpiredError` if the server forgot that view before the last page.
        """
        items: list[msgspec.Raw] = []
        query = {"limit": str(page), "labelSelector": selector, "continue": token}
        while True:
            answer = _read(await self._ask("GET", path, query), _Page)
            items += answer.items
            if not answer.metadata.continue_:
                return Listing(answer.metadata.resource_version, items)
            query["continue"] = answer.metadata.continue_

    async def watch(self, path: str, version: str, selector: str = "") -> AsyncGenerator[Event, None]:
        """What happened since `version`, as it happens, until the server ends the watch.

        Raises `ExpiredError`, `Silence`, and `ApiError` for a watch that was cut.
        """
        query = {
            "watch": "1",
            "resourceVersion": version,
            "labelSelector": selector,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_LIFE),
        }
        async with self._open("GET", path, query, timeout=self._silence) as response:
            async for line in _lines(response):
                yield _event(line)

    async def get(self, path: str) -> bytes:
        """One object."""
        return await self._ask("GET", path)

    async def create(self, path: str, body: dict[str, Any]) -> bytes:
        """Make an object in the collection `path`; status 409 if there is one of its name."""
        return await self._ask("POST", path, body=msgspec.json.encode(body))

    async def put(self, path: str, body: dict[str, Any]) -> bytes:
        """Put this in the place of the version that it names; status 409 if there is another by now."""
        return await self._ask("PUT", path, body=msgspec.json.encode(body))

    async def patch(self, path: str, body: dict[str, Any]) -> bytes:
        """Change an object by a merge patch (RFC 7396)."""
        return await self._ask("PATCH", path, body=msgspec.json.encode(body), headers=_MERGE_PATCH)

    async def patch_at(self, path: str, version: str, body: dict[str, Any]) -> bool:
        """The same, unless the object is another one than at `version`; whether it was changed."""
        metadata = {"metadata": {**body.get("metadata", {}), "resourceVersion": version}}
        try:
            await self.patch(path, body | metadata)
        except ApiError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True

    async def delete(self, path: str) -> None:
        """Remove an object; status 404 if there is none."""
        await self._ask("DELETE", path)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        headers = {"Content-Type": "application/json"} | (headers or {})
        async with self._open(method, path, query, body, headers) as response:
            return await response.aread()

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = _ANSWER,
    ) -> AsyncIterator[httpx.Response]:
        """A response that succeeded; whatever goes wrong with it, also later, is an `ApiError`."""
        try:
            request = self._client.build_request(
                method,
                path,
                params={name: value for name, value in (query or {}).items() if value},
                content=body,
                headers=self._headers() | (headers or {}),
                timeout=httpx.Timeout(timeout, connect=_CONNECT),
            )
            response = await self._send(request)
            try:
                if response.status_code >= httpx.codes.MULTIPLE_CHOICES:
                    raise _refusal(response, await response.aread())
                yield response
            finally:
                await response.aclose()
        except httpx.ReadTimeout as error:
            raise Silence(f"{path}: nothing came for {timeout:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError, AccessError) as error:
            raise ApiError(f"{self._access.server}{path}: {str(error) or type(error).__name__}") from error

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """The response's head. If that is cancelled, it gets a moment to come to its end by itself.

        httpcore leaves the socket of a TLS handshake open that is cancelled.
        """
        sending = asyncio.ensure_future(self._client.send(request, stream=True))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_MOMENT)
            if not sending.done():
                sending.cancel()
            elif sending.exception() is None:
                await sending.result().aclose()
            raise

    def _headers(self) -> dict[str, str]:
        token = self._access.token()
        return {"Authorization": f"Bearer {token}"} if token else {}


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The whole lines of a stream; what follows the last one was cut, and is not handed on."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in filter(None, lines):
            yield line
        if len(rest) > _LONGEST_LINE:
            raise ApiError(
                f"a watch sent more than {_LONGEST_LINE} bytes in one line: is it a Kubernetes API?"
            )


def _event(line: bytes) -> Event:
    read = _read(line, _Line)
    if read.type == "ERROR":
        status = _read(bytes(read.object), _Status)
        raise _failure(status.code, status.message or status.reason)
    return Event(read.type, _read(bytes(read.object), _Versioned).metadata.resource_version, read.object)


def _read(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ApiError(f"the server's answer is not what the Kubernetes API says: {error}") from error


def _refusal(response: httpx.Response, body: bytes) -> ApiError:
    try:
        message = msgspec.json.decode(body, type=_Status).message
    except msgspec.MsgspecError:
        message = ""
    asked = response.headers.get("Retry-After", "")
    retry_after = float(asked) if asked.isdecimal() else 0.0
    text = f"{response.request.method} {response.request.url.path}: {message or response.reason_phrase}"
    return _failure(response.status_code, text, retry_after)


def _failure(status: int, message: str, retry_after: float = 0.0) -> ApiError:
    kind = ExpiredError if status == httpx.codes.GONE else ApiError
    return kind(f"{message} ({status})", status, retry_after)
