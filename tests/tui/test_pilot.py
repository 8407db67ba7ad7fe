# SPDX-License-Identifier: Apache-2.0
"""A person at the keys: the whole application, on a terminal in memory."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from appliance.status.model import Snapshot
from appliance.status.watching import DoorError
from appliance.tui.app import Setting, Terminal
from appliance.tui.feed import Word, read_recording
from appliance.tui.frame import view
from appliance.tui.look import ASCII, UNICODE, Colours, Look
from appliance.tui.page import NUMBERED, Name, key_of
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.looks import LOOKS, LOOKUP, PROBE
from tests.unit.tui.screens import broken, found, known, later, with_tunnel
from tests.unit.tui.tokens import TOKEN

MONO = Look(colours=Colours.NONE, signs=ASCII, frames=30, pause=0.0)
SIXTEEN = Look(colours=Colours.SIXTEEN, signs=ASCII, frames=30, pause=0.0)
LARGE = Look(colours=Colours.FULL, signs=UNICODE, frames=30, pause=0.0, plain=False)
TERMINALS = [(MONO, (80, 24)), (SIXTEEN, (80, 24)), (LARGE, (120, 40))]


class Daemon:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(self, refusal: str = "", **answers: Mapping[str, Any]) -> None:
        self.words: asyncio.Queue[Word] = asyncio.Queue()
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.looked: set[str] = set()
        self._answers = answers
        self._refusal = refusal
        self._parts: dict[str, list[Mapping[str, Any]]] = {}
        self.go_on = asyncio.Event()
        self.go_on.set()

    def in_parts(self, op: str, *parts: Mapping[str, Any]) -> None:
        """Tell these parts before the answer, and wait after each until it may go on."""
        self._parts[op] = list(parts)
        self.go_on.clear()

    async def feed(self) -> AsyncIterator[Word]:
        """What is said, in order."""
        while True:
            yield await self.words.get()

    async def answer(self, op: str, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Take a request. What the screens ask for by themselves is answered and not remembered."""
        if op in LOOKS:
            self.looked.add(op)
            yield LOOKS[op]
            return
        if self._refusal:
            raise DoorError(self._refusal)
        self.asked.append((op, fields))
        for part in self._parts.get(op, ()):
            yield {"part": part}
            await self.go_on.wait()
        yield self._answers.get(op, {})


@asynccontextmanager
async def terminal(
    *words: Word,
    look: Look = MONO,
    size: tuple[int, int] = (80, 24),
    daemon: Daemon | None = None,
    places: tuple[str, ...] = ("/media/usb0",),
) -> AsyncIterator[tuple[Terminal, Pilot[int]]]:
    """The application, as root, after the words."""
    daemon = daemon or Daemon()
    first = known(*words)
    app = Terminal(Setting(look, daemon.feed, daemon.answer, True, first, places=lambda: places))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def painted(app: Terminal) -> list[str]:
    """What the terminal would show, by the compositor."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def until_painted(app: Terminal, pilot: Pilot[int], *words: str) -> None:
    """Wait until a line holds all the words."""
    async with asyncio.timeout(5):
        while not found(painted(app), *words):
            await pilot.pause(0.01)


@pytest.mark.parametrize(("look", "size"), TERMINALS)
@pytest.mark.parametrize("name", NUMBERED)
async def test_every_screen_on_every_terminal(look: Look, size: tuple[int, int], name: Name) -> None:
    async with terminal(broken(), look=look, size=size) as (app, pilot):
        await pilot.press(_key(key_of(name)))
        await pilot.pause()
        assert app.ui.page is name
        lines = painted(app)
        assert len(lines) == size[1]
        assert found(lines[:1], "Orillo", "shop1", name.value)
        assert found(lines[1:2], "FAULT", "no tunnel is up")
        assert all(len(line) <= size[0] for line in lines)
        assert look is LARGE or all(line.isascii() for line in lines)


@pytest.mark.parametrize(("look", "coloured"), [(MONO, False), (SIXTEEN, True), (LARGE, True)])
async def test_colours_only_where_there_are_any(look: Look, coloured: bool) -> None:
    async with terminal(broken(), look=look) as (app, _pilot):
        styles = [seg.style for strip in app.screen._compositor.render_strips() for seg in strip if seg.style]
        named = {style.color.name for style in styles if style.color and not style.color.is_default}
        assert bool(named) is coloured
        if look is SIXTEEN:
            assert all(
                style.color.number is None or style.color.number < 16 for style in styles if style.color
            )


async def test_news_come_by_themselves() -> None:
    daemon = Daemon()
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        assert found(painted(app), "HEALTHY")
        daemon.words.put_nowait(later(broken()))
        await until_painted(app, pilot, "FAULT", "no tunnel is up")
        await pilot.press("8")
        await until_painted(app, pilot, "tunnel connector-1 is down")


async def test_a_daemon_that_goes_and_comes() -> None:
    daemon = Daemon()
    async with terminal(daemon=daemon) as (app, pilot):
        assert found(painted(app), "NO ANSWER", "asking the daemon")
        daemon.words.put_nowait("the daemon does not run: start it")
        await until_painted(app, pilot, "NO ANSWER", "does not run")
        daemon.words.put_nowait(healthy())
        await until_painted(app, pilot, "HEALTHY")
        daemon.words.put_nowait("the daemon does not answer within 5 s")
        await until_painted(app, pilot, "NO NEWS SINCE 03:04:05", "does not answer within 5 s")
        assert found(painted(app), "2 of 2 up")


async def test_only_lines_that_changed_are_painted() -> None:
    daemon = Daemon()
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        repainted: list[int] = []
        face = app.screen.children[0]
        refresh = face.refresh

        def noted(*regions: Any, **options: Any) -> Any:
            repainted.extend(region.y for region in regions)
            return refresh(*regions, **options)

        face.refresh = noted  # type: ignore[method-assign]
        daemon.words.put_nowait(with_tunnel(later(healthy()), "connector-1", rtt=0.099))
        await until_painted(app, pilot, "99 ms")
        assert [painted(app)[y].partition(" ")[0] for y in repainted] == [
            "Tunnels",
            "connector-1",
            "connector-2",
        ]


async def test_enrolment_from_the_screen() -> None:
    daemon = Daemon()
    async with terminal(unenrolled(), daemon=daemon) as (app, pilot):
        await pilot.press("0", "t", *TOKEN.to_text().replace(".", "\0").split("\0")[0], "full_stop")
        await pilot.press(*(_key(one) for one in TOKEN.to_text().partition(".")[2]), "enter")
        assert found(painted(app), "CA pin", "abab")
        await pilot.press("y")
        await until_painted(app, pilot, "enrolled; the plan comes by itself")
    assert daemon.asked == [("enroll", {"token": TOKEN.to_text()})]


def _key(character: str) -> str:
    return {"-": "minus", "_": "underscore", ".": "full_stop"}.get(character, character)


async def test_a_refusal_is_told() -> None:
    async with terminal(healthy(), daemon=Daemon("'resync' is for root only")) as (app, pilot):
        await pilot.press("r")
        await until_painted(app, pilot, "'resync' is for root only")


async def test_a_path_is_measured_by_the_agent() -> None:
    hops = [
        {"step": "plan", "ok": True, "text": "Both are in the plan."},
        {"step": "ike", "ok": False, "text": "No answer.", "evidence": "UDP 500", "remedy": "Open it."},
    ]
    daemon = Daemon(why={"a": "shop1", "b": "shop2", "port": 443, "hops": hops, "breaks": "ike"})
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("3", "p", *"shop1", "space", *"shop2", "space", *"443", "enter")
        await until_painted(app, pilot, "From shop1 to shop2 port 443, measured")
        assert found(painted(app), "HERE", "ike", "No answer.")
        assert found(painted(app), "-> Open it.")
        assert found(painted(app), "It breaks at: ike.")
    assert daemon.asked == [("why", {"a": "shop1", "b": "shop2", "port": 443})]


async def test_a_path_is_shown_while_it_is_walked() -> None:
    first, second = (
        {"step": "plan", "ok": True, "text": "Both are in the plan."},
        {"step": "ike", "ok": True, "text": "The IKE SA is up."},
    )
    whole = {"a": "self", "b": "shop2", "hops": [first, second], "breaks": ""}
    daemon = Daemon(why=whole)
    daemon.in_parts("why", first, second)
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("3", "p", *"shop2", "enter")
        await until_painted(app, pilot, "ok", "plan", "Both are in the plan.")
        assert found(painted(app), "... walking on")
        assert not found(painted(app), "The IKE SA is up.")
        daemon.go_on.set()
        await until_painted(app, pilot, "It holds, as far as this device can see.")
        assert found(painted(app), "ok", "ike", "The IKE SA is up.")
    assert daemon.asked == [("why", {"a": "self", "b": "shop2"})]


@pytest.mark.parametrize(("look", "size"), TERMINALS)
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("1", ("eth0", "carrier", "192.168.1.1")),
        ("2", ("shop2", "edge", "hub", "connector-1")),
        ("5", ("Hit rate", "93%")),
        ("6", ("default/web-0", "reachable", "10.200.1.5")),
        ("7", ("Slot b", "generation 12", "by bob")),
        ("0", ("Next key", "cdcd cdcd")),
        ("minus", ("USB stick or disk", "/media/usb0")),
    ],
)
async def test_screens_ask_for_what_they_show(
    look: Look, size: tuple[int, int], key: str, words: tuple[str, ...]
) -> None:
    async with terminal(healthy(), look=look, size=size) as (app, pilot):
        await pilot.press(key)
        await until_painted(app, pilot, *words)


async def test_only_the_screen_that_is_seen_is_asked_for() -> None:
    daemon = Daemon()
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("6")
        await until_painted(app, pilot, "default/web-0")
    assert daemon.looked == {"uplinks", "pods"}


async def test_a_tunnel_is_made_anew_and_probed() -> None:
    anew = {"peer": "connector-1", "up": True, "seconds": 0.42}
    daemon = Daemon(reinitiate=anew, probe=PROBE)
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("2", "i")
        await until_painted(app, pilot, ":reinitiate connector-1")
        assert daemon.asked == []
        await pilot.press("enter")
        await until_painted(app, pilot, "connector-1: a new tunnel is up after 0.4 s")
        await pilot.press("p")
        await until_painted(app, pilot, "2 of 5 echoes in 2.0 ms, but none of 1400 bytes")
        await pilot.press("enter")
        await until_painted(app, pilot, "made anew", "0.4 s")
    assert daemon.asked == [("reinitiate", {"peer": "connector-1"}), ("probe", {"peer": "connector-1"})]


async def test_a_name_is_looked_up() -> None:
    daemon = Daemon(lookup=LOOKUP)
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("5", "l", *"www", "full_stop", *"example", "full_stop", *"com", "enter")
        await until_painted(app, pilot, "www.example.com", "192.0.2.7", "42 ms, asked for above")
    assert daemon.asked == [("lookup", {"name": "www.example.com"})]


async def test_log_lines_come_by_themselves() -> None:
    async with terminal(healthy()) as (app, pilot):
        await pilot.press("8", "l")
        await until_painted(app, pilot, "error", "run: routes: refused")
        await pilot.press("slash", *"offline", "enter")
        await until_painted(app, pilot, "warning", "sync.follow: control endpoint: offline")
        assert not found(painted(app), "routes: refused")


async def test_a_report_is_written_to_the_chosen_stick(tmp_path: Path) -> None:
    packed = {"name": "orillo-bugreport-now.tar.gz", "data": base64.b64encode(b"packed").decode()}
    daemon = Daemon(bugreport=packed)
    async with terminal(healthy(), daemon=daemon, places=(str(tmp_path),)) as (app, pilot):
        await pilot.press("minus")
        await until_painted(app, pilot, "USB stick or disk")
        rows = view(app.known, app.ui, MONO, 80, 24).page.rows
        at = next(index for index, row in enumerate(rows) if row.key == str(tmp_path))
        await pilot.press(*["down"] * at, "enter")
        await until_painted(app, pilot, ":report ")
        await pilot.press("enter")
        await until_painted(app, pilot, "the report is in")
        await pilot.press("enter", "enter")
        await until_painted(app, pilot, "is there already")
    file = tmp_path / "orillo-bugreport-now.tar.gz"
    assert file.read_bytes() == b"packed"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("look", "size"), TERMINALS)
async def test_the_code_has_the_terminal_to_itself(look: Look, size: tuple[int, int]) -> None:
    async with terminal(broken(), look=look, size=size) as (app, pilot):
        await pilot.press("minus", "k")
        await until_painted(app, pilot, "Esc goes back")
        assert not found(painted(app), "Support")
        assert found(painted(app), "NO-TUNNEL")
        assert look is LARGE or all(line.isascii() for line in painted(app))
        await pilot.press("escape")
        await until_painted(app, pilot, "show them the QR code")


async def test_an_examination_is_asked_for() -> None:
    cause = {"code": "clock-wrong", "severity": "fault", "text": "The clock is wrong.", "remedy": "Set it."}
    daemon = Daemon(doctor={"conditions": [cause], "checks": ["clock", "disk"]})
    async with terminal(healthy(), daemon=daemon) as (app, pilot):
        await pilot.press("9", "x")
        await until_painted(app, pilot, "FAULT", "The clock is wrong.")
        assert found(painted(app), "By 2 checks")


async def test_an_answer_that_makes_no_sense_is_told() -> None:
    async with terminal(healthy(), daemon=Daemon(doctor={"conditions": 7})) as (app, pilot):
        await pilot.press("9", "x")
        await until_painted(app, pilot, "the daemon's answer can't be read")


async def test_saving_for_support(tmp_path: Path) -> None:
    file = tmp_path / "shop1"
    async with terminal(healthy()) as (app, pilot):
        for answer in ("saved to", "is there already"):
            await pilot.press("minus", "s", *(_file_key(one) for one in str(file)), "enter")
            await until_painted(app, pilot, answer)
    assert read_recording(file).snapshots == (healthy(),)


def _file_key(character: str) -> str:
    return {"/": "slash"}.get(character, _key(character))


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (200, 60), (79, 23)])
async def test_a_resize_in_flight(size: tuple[int, int]) -> None:
    daemon = Daemon()
    async with terminal(broken(), daemon=daemon) as (app, pilot):
        await pilot.press("2")
        daemon.words.put_nowait(later(healthy()))
        await pilot.resize_terminal(*size)
        await pilot.press("down", "9", "enter", "slash", "x")
        await pilot.resize_terminal(80, 24)
        await pilot.press("enter", "escape", "1")
        await until_painted(app, pilot, "HEALTHY")
        assert app.failure is None


async def test_a_fault_of_ours_ends_it_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    async def fails() -> AsyncIterator[Snapshot]:
        yield healthy()
        raise RuntimeError("a fault of ours")

    app = Terminal(Setting(MONO, fails, Daemon().answer))
    async with app.run_test() as pilot:
        async with asyncio.timeout(5):
            while app.failure is None:
                await pilot.pause(0.01)
    assert str(app.failure) == "a fault of ours"
    assert app.return_value == 3
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("garbage", [{"part": 7}, {"part": {}}, {"part": {"step": 1}}, {"hops": "x"}, {}])
@pytest.mark.parametrize("keys", ["3 p x enter", "9 x", "5 l x enter", "2 p", "2 i enter", "minus b x enter"])
async def test_garbage_in_any_answer_is_told_and_survived(garbage: Mapping[str, Any], keys: str) -> None:
    async def answer(op: str, _fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        yield LOOKS[op] if op == "peers" else garbage

    app = Terminal(Setting(MONO, Daemon().feed, answer, True, known(healthy()), places=lambda: ()))
    async with app.run_test() as pilot:
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause()
        assert app.failure is None
        assert found(painted(app)[:2], "HEALTHY")


async def test_a_console_of_a_new_device_begins_where_a_token_is_taken() -> None:
    """And then typing one works at once, as on a card that was flashed without."""
    app = Terminal(Setting(MONO, Daemon().feed, Daemon().answer, True, known(unenrolled()), page=Name.ENROL))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.ui.page is Name.ENROL
