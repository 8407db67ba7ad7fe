# SPDX-License-Identifier: Apache-2.0
"""Releases from a URL, from servers on loopback that cut, change and lie."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.update.download import Listener, fetch, is_url
from appliance.update.manifest import ReleaseError

CONTENT = bytes(range(256)) * 2000
QUIET = Listener(lambda _size, _total: None, lambda _file: None)


@dataclass
class Site:
    """What the server does: `cut` bytes at most an answer; `seen` are the ranges and the URLs asked for."""

    url: str = ""
    content: bytes = CONTENT
    tag: str = '"one"'
    cut: int = 1 << 30
    ranges: bool = True
    length: bool = True
    seen: list[tuple[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, asked = self.site, self.headers.get("Range", "")
        site.seen.append((asked, self.path))
        if self.path.endswith("/missing"):
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and site.ranges else 0
        if self.headers.get("If-Range", site.tag) != site.tag:
            start = 0
        if start and start >= len(site.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", site.tag)
        if site.length:
            self.send_header("Content-Length", str(len(site.content) - start))
        self.end_headers()
        self.wfile.write(site.content[start : start + site.cut])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}/orillo.release"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def test_whole_file_in_one(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    file = fetch(site.url, tmp_path / "new", Listener(lambda *seen: told.append(seen), lambda _: None))
    assert file.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_cut_transfer_goes_on_where_it_ended(site: Site, tmp_path: Path) -> None:
    site.cut = 100_000
    assert fetch(site.url, tmp_path, QUIET).read_bytes() == CONTENT
    assert [asked for asked, _ in site.seen] == ["", *(f"bytes={n}00000-" for n in range(1, 6))]


def test_another_call_goes_on_too(site: Site, tmp_path: Path) -> None:
    site.cut = 0
    with pytest.raises(ReleaseError, match="can't be fetched"):
        fetch(site.url, tmp_path, QUIET)
    site.cut = 1 << 30
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(CONTENT[:70_000])
    assert fetch(site.url, tmp_path, QUIET).read_bytes() == CONTENT
    assert site.seen[-1][0] == "bytes=70000-"


def test_file_that_is_another_by_now_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.cut = 50_000
    limit = iter(range(3))

    def head(_file: Path) -> None:
        if next(limit, None) is None:
            return
        site.tag, site.content, site.cut = '"two"', b"n" * 300_000, 1 << 30

    assert fetch(site.url, tmp_path, Listener(lambda *_: None, head)).read_bytes() == site.content


def test_server_without_ranges_begins_anew(site: Site, tmp_path: Path) -> None:
    fetch(site.url, tmp_path, QUIET).rename(tmp_path / "x")
    site.ranges = False
    name = fetch(site.url, tmp_path, QUIET)
    name.with_suffix(".part").write_bytes(b"something old")
    assert fetch(site.url, tmp_path, QUIET).read_bytes() == CONTENT


def test_whole_file_that_a_power_cut_left_is_asked_for_and_not_fetched_again(
    site: Site, tmp_path: Path
) -> None:
    file = fetch(site.url, tmp_path, QUIET)
    assert fetch(site.url, tmp_path, QUIET) == file
    assert file.read_bytes() == CONTENT
    assert [asked for asked, _ in site.seen] == ["", f"bytes={len(CONTENT)}-"]
    # By now another one: then it comes.
    site.content, site.tag = CONTENT[::-1], '"two"'
    assert fetch(site.url, tmp_path, QUIET).read_bytes() == CONTENT[::-1]


def test_part_that_is_the_whole_already(site: Site, tmp_path: Path) -> None:
    file = fetch(site.url, tmp_path, QUIET)
    file.rename(file.with_suffix(".part"))
    assert fetch(site.url, tmp_path, QUIET).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [True, False])
def test_size_has_a_bound(site: Site, tmp_path: Path, *, length: bool) -> None:
    site.length = length
    with pytest.raises(ReleaseError, match="more than"):
        fetch(site.url, tmp_path, QUIET, limit=100_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200_000


def test_head_that_is_of_no_use_ends_the_transfer(site: Site, tmp_path: Path) -> None:
    sizes: list[int] = []

    def refuse(file: Path) -> None:
        sizes.append(file.stat().st_size)
        raise ReleaseError("for another machine")

    with pytest.raises(ReleaseError, match="another machine"):
        fetch(site.url, tmp_path, Listener(lambda *_: None, refuse))
    assert sizes[0] < len(CONTENT)


def test_proxy_of_the_environment_is_asked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    fetch("http://releases.invalid/x", tmp_path, QUIET)
    assert site.seen[-1] == ("", "http://releases.invalid/x")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/missing", "answered 404"),
        ("http://u:secret@127.0.0.1:1/x", "http://127.0.0.1:1/x can't be fetched"),
    ],
)
def test_error_says_what_and_hides_a_password(site: Site, tmp_path: Path, url: str, words: str) -> None:
    whole = url if url.startswith("http") else site.url + url
    with pytest.raises(ReleaseError, match=words) as refused:
        fetch(whole, tmp_path, QUIET)
    assert "secret" not in str(refused.value)


def test_only_http_is_a_url() -> None:
    assert is_url("https://x/y")
    assert not is_url("file:///etc/passwd")
    assert not is_url("orillo.release")
