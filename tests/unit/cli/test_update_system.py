# SPDX-License-Identifier: Apache-2.0
"""`orillo update FILE.raucb` around a RAUC that is a script: what is remembered, fetched, kept and told."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from appliance.cli import update_system
from appliance.cli.errors import CliError, Exit
from appliance.host import trial
from appliance.paths import Paths
from appliance.trial import Sign
from appliance.update.manifest import ReleaseError

_BUNDLE = b"hsqs" + bytes(range(256)) * 64

Rauc = Callable[[str], None]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(update_system, "booted_slot", lambda: "a")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    paths = Paths(tmp_path / "device")
    entry = paths.esp / "loader/entries/orillo-a.conf"
    entry.parent.mkdir(parents=True)
    entry.write_text("title Orillo (a)\nversion 1\nlinux /a/vmlinuz\n")
    return paths


@pytest.fixture
def rauc(tmp_path: Path, paths: Paths) -> Rauc:
    """Makes programs of that name, and of the one that asks RAUC for its last error."""

    def make(script: str) -> None:
        for name, body in (("rauc", script), ("busctl", 'echo \'s "signed by \\"nobody\\""\'')):
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/sh\n{body}\n")
            program.chmod(0o755)

    return make


@pytest.fixture
def shelf() -> "Callable[[bytes], str]":
    """Serves these bytes; the URL of them."""

    def serve(data: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/new.raucb"

    return serve


def _quiet(_size: int, _total: int) -> None:
    pass


def test_what_worked_is_remembered_before_anything_is_changed(
    paths: Paths, rauc: Rauc, tmp_path: Path
) -> None:
    """A power cut between the last change and a later note would lose it: then any system would do."""
    note = paths.host_state / "trial.json"
    rauc(f'cp "{note}" "{tmp_path}/seen" && [ "$1 $2" = "install {tmp_path}/new.raucb" ]')
    assert update_system.run(paths, f"{tmp_path}/new.raucb", _quiet, restart=False) == 0
    assert (tmp_path / "seen").read_bytes() == note.read_bytes()
    assert Sign.AGENT in trial.begun(paths)


def test_a_bundle_from_a_url_is_fetched_installed_and_gone(
    paths: Paths, rauc: Rauc, shelf: Callable[[bytes], str], tmp_path: Path
) -> None:
    rauc(f'cp "$2" "{tmp_path}/installed"')
    assert update_system.run(paths, shelf(_BUNDLE), _quiet, restart=False) == 0
    assert (tmp_path / "installed").read_bytes() == _BUNDLE
    assert not list((paths.host_state / "download").iterdir())


def test_a_refusal_says_raucs_reason_and_leaves_no_trial(
    paths: Paths, rauc: Rauc, shelf: Callable[[bytes], str]
) -> None:
    rauc("echo failed >&2; exit 1")
    with pytest.raises(CliError, match='nothing has changed: signed by "nobody"'):
        update_system.run(paths, shelf(_BUNDLE), _quiet, restart=False)
    assert not (paths.host_state / "trial.json").exists()
    # A damaged one is not gone on with.
    assert not list((paths.host_state / "download").iterdir())


def test_the_page_of_a_hotel_is_no_bundle(
    paths: Paths, rauc: Rauc, shelf: Callable[[bytes], str], tmp_path: Path
) -> None:
    rauc(f"touch {tmp_path}/called")
    with pytest.raises(ReleaseError, match="no update bundle"):
        update_system.run(paths, shelf(b"<html>log in</html>" * 20000), _quiet, restart=False)
    assert not (tmp_path / "called").exists()


def test_a_system_on_trial_keeps_its_way_back(paths: Paths, rauc: Rauc, tmp_path: Path) -> None:
    """An update on top of an update cost the trial its verdict: seen in a machine."""
    entry = paths.esp / "loader/entries/orillo-a.conf"
    entry.rename(entry.with_name("orillo-a+1-2.conf"))
    rauc(f"touch {tmp_path}/called")
    with pytest.raises(CliError, match="system a is new and on trial itself: wait") as refused:
        update_system.run(paths, f"{tmp_path}/new.raucb", _quiet, restart=False)
    assert refused.value.code == Exit.CANNOT_RUN
    assert not (tmp_path / "called").exists()
