# SPDX-License-Identifier: Apache-2.0
"""A release from a URL: by the proxy that the environment names, going on where a cut transfer ended.

What comes is believed no more than a file that somebody hands over: its signature decides.
"""

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from appliance.update.manifest import LARGEST_ARCHIVE, ReleaseError

#: The archive, and its head.
LARGEST = LARGEST_ARCHIVE + (4 << 20)
_PIECE = 1 << 16
_PATIENCE = 30.0
_TRIES = 5
_PARTIAL, _RANGE_IS_OVER = 206, 416

#: By then the head of a release is here.
_HEAD = 1 << 17


@dataclass(frozen=True)
class Listener:
    """`progress`: bytes that are here, bytes in all (0: not known).

    `head`: the file has its first part; it may raise `ReleaseError` to end a transfer that is of no use.
    """

    progress: Callable[[int, int], None]
    head: Callable[[Path], object]


def is_url(text: str) -> bool:
    """Whether this is to be fetched."""
    return urlsplit(text).scheme in {"http", "https"}


def fetch(url: str, directory: Path, tell: Listener, limit: int = LARGEST) -> Path:
    """Fetch into a file in `directory`, whose name is the URL's alone, so that the next call goes on with it.

    Raises `ReleaseError`, after some tries; what has come stays for the next call.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / hashlib.sha256(url.encode()).hexdigest()[:32]
        for path in directory.iterdir():
            # One at a time is kept: what nobody goes on with would fill the disk.
            if path.stem != target.name:
                path.unlink()
        return _persist(url, target, tell, limit)
    except urllib.error.HTTPError as error:
        error.close()
        raise ReleaseError(f"{_shown(url)} answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise ReleaseError(f"{_shown(url)} can't be fetched: {_why(error.reason)}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ReleaseError(f"{_shown(url)} can't be fetched: {_why(error)}") from error


def discard(file: Path) -> None:
    """What `fetch` brought was used: it goes, and what is known of it."""
    file.with_suffix(".etag").unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def _persist(url: str, target: Path, tell: Listener, limit: int) -> Path:
    part = target.with_suffix(".part")
    if target.exists():
        # Whole already, when the power was cut before it was used: the server says whether it is the same.
        target.replace(part)
    tries = 0
    while True:
        size = part.stat().st_size if part.exists() else 0
        fault: Exception | None = None
        try:
            if _go_on(url, part, tell, limit):
                part.replace(target)
                return target
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            fault = error
        tries = 0 if part.exists() and part.stat().st_size > size else tries + 1
        if tries >= _TRIES:
            raise fault or ConnectionError("it ends before its end: try it again")


def _go_on(url: str, part: Path, tell: Listener, limit: int) -> bool:
    """One request for what is lacking; whether all of it is here then."""
    etag = part.with_suffix(".etag")
    size = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "orillo", "Accept-Encoding": "identity"}
    if size:
        headers["Range"] = f"bytes={size}-"
        if etag.exists():
            # Another file by now: the server then sends all of it (RFC 9110, If-Range).
            headers["If-Range"] = etag.read_text()
    try:
        answer = _open(urllib.request.Request(url, headers=headers))  # noqa: S310 -- http and https only
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_IS_OVER or not size:
            raise
        # All of it is here, or it is another file by now: the signature will tell; or begin anew.
        whole = error.headers.get("Content-Range", "").rpartition("/")[2] == str(size)
        error.close()
        if not whole:
            part.unlink()
        return whole
    with answer:
        if answer.status != _PARTIAL:
            size = 0
        total = _total(answer, size)
        if max(total, size) > limit:
            raise ReleaseError(f"{_shown(url)} has {total} bytes, which is more than any release")
        _keep_tag(etag, answer)
        with part.open("ab" if size else "wb") as file:
            while piece := answer.read(_PIECE):
                size += len(piece)
                if size > limit:
                    raise ReleaseError(f"{_shown(url)} sends more than {limit} bytes: this is no release")
                file.write(piece)
                tell.progress(size, total)
                if size - len(piece) < _HEAD <= size:
                    file.flush()
                    tell.head(part)
            file.flush()
            os.fsync(file.fileno())
    return not total or size == total


def _open(request: urllib.request.Request) -> Any:
    # The proxy of the environment; nothing else than http and https is opened, not after a redirect either.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=_PATIENCE)


def _total(answer: Any, size: int) -> int:
    length = answer.headers.get("Content-Length", "")
    return size + int(length) if length.isdigit() else 0


def _keep_tag(etag: Path, answer: Any) -> None:
    tag = answer.headers.get("ETag", "")
    if tag.startswith('"'):
        etag.write_text(tag)
    else:
        etag.unlink(missing_ok=True)


def _shown(url: str) -> str:
    """The URL without a password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not believed ({reason.verify_message}): is ca-certificates installed?"
    if isinstance(reason, TimeoutError):
        return "no answer"
    return getattr(reason, "strerror", None) or str(reason)
