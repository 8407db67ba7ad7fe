# SPDX-License-Identifier: Apache-2.0
"""The whole screen as lines: title, verdict, the page, what can be done, the names of the screens. Pure."""

from collections.abc import Sequence

from appliance.tui.keys import View
from appliance.tui.look import Look, Tone
from appliance.tui.page import KEYS, NUMBERED, Name, Page, Row
from appliance.tui.pages import (
    dns,
    doctor,
    enrol,
    events,
    logs,
    overview,
    path,
    plan,
    pods,
    qr,
    services,
    support,
    tunnels,
)
from appliance.tui.pages import help as help_page
from appliance.tui.pages.parts import clock, verdict
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, clean, columns_of, cut, fit, line, plain, wrap
from appliance.tui.ui import ASIDE, Prompt, Ui, can_open, shown

_TALL = 12
_SHORT_NAME = 4
#: The screens that need no more than what is known; listed by hand, since nothing is found by name here.
_PAGES = {
    Name.OVERVIEW: overview.page,
    Name.TUNNELS: tunnels.page,
    Name.SERVICES: services.page,
    Name.DNS: dns.page,
    Name.PODS: pods.page,
    Name.PLAN: plan.page,
    Name.EVENTS: events.page,
    Name.LOGS: logs.page,
    Name.DOCTOR: doctor.page,
    Name.SUPPORT: support.page,
}


def view(known: Known, ui: Ui, look: Look, width: int, height: int) -> View:
    """The page that the person is on, and the lines that are left for its rows."""
    page = _page(known, ui, ui.page, (width, height), look)
    around = 0 if page.bare else _around(height)
    return View(page, max(1, height - around - len(page.head)))


def frame(known: Known, ui: Ui, look: Look, width: int, height: int) -> list[Line]:
    """Exactly `height` lines, none wider than `width`."""
    seen = view(known, ui, look, width, height)
    if seen.page.bare and ui.prompt is None:
        body = [fit(one, width, look) for row in seen.page.rows for one in row.lines][:height]
        return [*body, *[EMPTY] * (height - len(body))]
    lines = [_title(known, ui, look, width), _verdict(known, width, look)]
    if height >= _TALL:
        lines.append(EMPTY)
    lines += [fit(one, width, look) for one in seen.page.head]
    body, where = _body(seen, ui, look, width)
    lines += body
    del lines[max(0, height - 2) :]
    lines += [EMPTY] * (height - 2 - len(lines))
    lines += [_prompt(ui, seen.page, where, width, look), _screens(ui, width, look)]
    return lines[-height:] if height < 2 else lines[:height]


def _around(height: int) -> int:
    """The lines that are no part of the page: title, verdict, a blank one, actions, screens."""
    return 5 if height >= _TALL else 4


def _page(known: Known, ui: Ui, name: Name, size: tuple[int, int], look: Look) -> Page:
    width, height = size
    match name:
        case Name.PATH:
            return path.page(known, ui.target, width, look)
        case Name.ENROL:
            return enrol.page(known, ui.offer, width, look)
        case Name.HELP:
            return help_page.page(width, look)
        case Name.CODE:
            return qr.page(known, width, height, look)
        case Name.DETAIL:
            return _detail(known, ui, size, look)
    return _PAGES[name](known, width, look)


def _detail(known: Known, ui: Ui, size: tuple[int, int], look: Look) -> Page:
    origin = _page(known, ui, ui.back[-1], size, look) if ui.back and ui.back[-1] is not ui.page else Page()
    row = next((row for row in origin.rows if row.key == ui.opened), None)
    if row is None:
        return Page(empty=look.say("{name} is gone; Esc goes back", name=ui.opened))
    actions = tuple(action for action in origin.actions if action.of_row)
    return Page(rows=tuple(Row((one,), problem=True) for one in row.detail), actions=actions)


def _bar(text: str, right: str, width: int, look: Look) -> Line:
    left = cut(clean(text, look), max(0, width - columns_of(right)), look)
    gap = " " * max(0, width - columns_of(left) - columns_of(right))
    return fit((Span(left + gap + right, Tone.BAR),), width, look)


def _title(known: Known, ui: Ui, look: Look, width: int) -> Line:
    snapshot = known.snapshot
    shown_name = ui.page if ui.page is not Name.DETAIL or not ui.back else ui.back[-1]
    name = look.say(shown_name.value)
    if snapshot is None:
        return _bar(f" Orillo  {name}", "", width, look)
    identity = snapshot.identity
    who = f"{identity.name}.{identity.cluster}" if identity else look.say("not enrolled")
    role = f" ({look.say(str(snapshot.role))})" if snapshot.role else ""
    only = "" if ui.root else look.say("read-only") + "  "
    right = f" {only}{clock(snapshot)[:5]} "
    return _bar(f" Orillo  {who}{role}  {name}", right if width >= 40 else "", width, look)


def _verdict(known: Known, width: int, look: Look) -> Line:
    word, text, tone = verdict(known, look)
    return fit((Span(word, tone), Span("  "), Span(text)), width, look)


def _body(seen: View, ui: Ui, look: Look, width: int) -> tuple[list[Line], str]:
    """The rows that fit, and where in them one is."""
    rows = shown(seen.page, ui)
    if not rows:
        return [line(text, Tone.DIM) for text in wrap(_nothing(seen.page, ui, look), width)][: seen.room], ""
    chosen = min(ui.cursor, len(rows) - 1) if can_open(seen.page) else -1
    flat: list[Line] = []
    begin = end = 0
    for index, row in enumerate(rows):
        if index == chosen:
            begin, end = len(flat), len(flat) + len(row.lines)
        flat += [_painted(one, index == chosen, width, look) for one in row.lines]
    at = len(flat) if seen.page.follow and not ui.cursor else ui.cursor
    first = max(0, min(begin, end - seen.room) if chosen >= 0 else min(at, len(flat) - seen.room))
    part = flat[first : first + seen.room]
    where = f"{first + 1}-{first + len(part)} of {len(flat)}" if len(part) < len(flat) else ""
    return part, where


def _painted(spans: Line, chosen: bool, width: int, look: Look) -> Line:
    fitted = fit(spans, width, look)
    if not chosen:
        return fitted
    text = plain(fitted)
    return line(text + " " * (width - columns_of(text)), Tone.CHOSEN)


def _nothing(page: Page, ui: Ui, look: Look) -> str:
    if not page.rows:
        return page.empty
    what = look.say("nothing here is wrong") if ui.problems else look.say("no row is left")
    wanted = look.say(" of what contains {text}", text=repr(ui.search)) if ui.search else ""
    return what + wanted + look.say(": Esc shows all {count}", count=len(page.rows))


def _prompt(ui: Ui, page: Page, where: str, width: int, look: Look) -> Line:
    if ui.prompt is not None:
        return _typing(ui.prompt, width, look)
    if ui.notice is not None:
        text = look.say(ui.notice.text, **ui.notice.about)
        told = fit(line(text, ui.notice.tone), max(0, width - len(where) - 2), look)
        gap = width - len(where) - sum(columns_of(span.text) for span in told)
        return fit((*told, Span(" " * max(0, gap) + where, Tone.STRONG)), width, look)
    return fit(_offers(ui, page, where, width, look), width, look)


def _typing(prompt: Prompt, width: int, look: Look) -> Line:
    """The prompt with its cursor; of a long text the part around the cursor, of a token not what it says."""
    text, at = prompt.text, prompt.at
    before, under, after = text[:at], text[at : at + 1], text[at + 1 :]
    if before.startswith("enrol ") and len(before) > 24:
        before = f"{before[:14]}{look.signs.cut} ({len(text) - 6} characters)"
    before = clean(before, look)[-max(0, width - 2) :] if width > 2 else ""
    return fit((Span(prompt.sign + before), Span(under or " ", Tone.CHOSEN), Span(after)), width, look)


def _offers(ui: Ui, page: Page, where: str, width: int, look: Look) -> Line:
    made: list[Span] = []
    for action in page.actions:
        if ui.root or not action.changes:
            made += _offer(action.letter, action.label, look)
    if can_open(page):
        made += _offer("Enter", "all about it", look)
    if ui.page in ASIDE or ui.offer is not None:
        made += _offer("Esc", "back", look)
    made += [*_offer("?", "help", look), *_offer("q", "quit", look)]
    right = "  ".join(part for part in (_limits(ui), where) if part)
    gap = width - sum(columns_of(span.text) for span in made) - columns_of(right)
    if right and gap > 1:
        made += [Span(" " * gap), Span(right, Tone.STRONG)]
    return tuple(made)


def _offer(key: str, label: str, look: Look) -> tuple[Span, Span]:
    return Span(key, Tone.STRONG), Span(f" {look.say(label)}  ")


def _limits(ui: Ui) -> str:
    return " ".join(
        part for part in (f"/{ui.search}" if ui.search else "", "!" if ui.problems else "") if part
    )


def _screens(ui: Ui, width: int, look: Look) -> Line:
    names = [look.say(name.value) for name in NUMBERED]
    # The longest ones first, so that most of them can be read in full on 80 columns.
    for index in sorted(range(len(names)), key=lambda index: -columns_of(names[index])):
        if _width(names) > width:
            names[index] = names[index][:_SHORT_NAME]
    made: list[Span] = []
    for index, name in enumerate(names):
        here = NUMBERED[index] in (ui.page, ui.back[-1] if ui.back else None)
        made.append(Span(KEYS[index], Tone.DIM))
        made.append(Span(name, Tone.CHOSEN if here else Tone.PLAIN))
        made.append(Span(" " if index < len(names) - 1 else ""))
    return fit(tuple(made), width, look)


def _width(names: Sequence[str]) -> int:
    return sum(columns_of(name) + 2 for name in names) - 1
