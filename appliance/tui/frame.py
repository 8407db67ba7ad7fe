# SPDX-License-Identifier: Apache-2.0
"""The whole screen as lines: title, verdict, the page, what can be done, the names of the screens. Pure."""

from collections.abc import Sequence

from appliance.tui.keys import View
from appliance.tui.look import Look, Tone
from appliance.tui.page import NUMBERED, Name, Page, Row
from appliance.tui.pages import dns, doctor, enrol, events, overview, path, plan, services, support, tunnels
from appliance.tui.pages import help as help_page
from appliance.tui.pages.parts import clock, verdict
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, clean, columns_of, cut, fit, line, plain, wrap
from appliance.tui.ui import Prompt, Ui, can_open, shown

_TALL = 12
_SHORT_NAME = 4
#: The screens that need no more than what is known; listed by hand, since nothing is found by name here.
_PAGES = {
    Name.OVERVIEW: overview.page,
    Name.TUNNELS: tunnels.page,
    Name.SERVICES: services.page,
    Name.DNS: dns.page,
    Name.PLAN: plan.page,
    Name.EVENTS: events.page,
    Name.DOCTOR: doctor.page,
    Name.SUPPORT: support.page,
}


def view(known: Known, ui: Ui, look: Look, width: int, height: int) -> View:
    """The page that the person is on, and the lines that are left for its rows."""
    page = _page(known, ui, ui.page, width, look)
    return View(page, max(1, height - _around(height) - len(page.head)))


def frame(known: Known, ui: Ui, look: Look, width: int, height: int) -> list[Line]:
    """Exactly `height` lines, none wider than `width`."""
    seen = view(known, ui, look, width, height)
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


def _page(known: Known, ui: Ui, name: Name, width: int, look: Look) -> Page:
    match name:
        case Name.PATH:
            return path.page(known, ui.target, width, look)
        case Name.ENROL:
            return enrol.page(known, ui.offer, width, look)
        case Name.HELP:
            return help_page.page(width)
        case Name.DETAIL:
            return _detail(known, ui, width, look)
    return _PAGES[name](known, width, look)


def _detail(known: Known, ui: Ui, width: int, look: Look) -> Page:
    origin = _page(known, ui, ui.back[-1], width, look) if ui.back else Page()
    row = next((row for row in origin.rows if row.key == ui.opened), None)
    if row is None:
        return Page(empty=f"{ui.opened} is gone; Esc goes back")
    return Page(rows=tuple(Row((one,), problem=True) for one in row.detail))


def _bar(text: str, right: str, width: int, look: Look) -> Line:
    left = cut(clean(text, look), max(0, width - columns_of(right)), look)
    gap = " " * max(0, width - columns_of(left) - columns_of(right))
    return fit((Span(left + gap + right, Tone.BAR),), width, look)


def _title(known: Known, ui: Ui, look: Look, width: int) -> Line:
    snapshot = known.snapshot
    name = ui.page if ui.page is not Name.DETAIL or not ui.back else ui.back[-1]
    if snapshot is None:
        return _bar(f" Orillo  {name.value}", "", width, look)
    who = f"{snapshot.identity.name}.{snapshot.identity.cluster}" if snapshot.identity else "not enrolled"
    role = f" ({snapshot.role})" if snapshot.role else ""
    right = f" {'' if ui.root else 'read-only  '}{clock(snapshot)[:5]} "
    return _bar(f" Orillo  {who}{role}  {name.value}", right if width >= 40 else "", width, look)


def _verdict(known: Known, width: int, look: Look) -> Line:
    word, text, tone = verdict(known)
    return fit((Span(word, tone), Span("  "), Span(text)), width, look)


def _body(seen: View, ui: Ui, look: Look, width: int) -> tuple[list[Line], str]:
    """The rows that fit, and where in them one is."""
    rows = shown(seen.page, ui)
    if not rows:
        return [line(text, Tone.DIM) for text in wrap(_nothing(seen.page, ui), width)][: seen.room], ""
    chosen = min(ui.cursor, len(rows) - 1) if can_open(seen.page) else -1
    flat: list[Line] = []
    begin = end = 0
    for index, row in enumerate(rows):
        if index == chosen:
            begin, end = len(flat), len(flat) + len(row.lines)
        flat += [_painted(one, index == chosen, width, look) for one in row.lines]
    first = max(0, min(begin, end - seen.room) if chosen >= 0 else min(ui.cursor, len(flat) - seen.room))
    part = flat[first : first + seen.room]
    where = f"{first + 1}-{first + len(part)} of {len(flat)}" if len(part) < len(flat) else ""
    return part, where


def _painted(spans: Line, chosen: bool, width: int, look: Look) -> Line:
    fitted = fit(spans, width, look)
    if not chosen:
        return fitted
    text = plain(fitted)
    return line(text + " " * (width - columns_of(text)), Tone.CHOSEN)


def _nothing(page: Page, ui: Ui) -> str:
    if not page.rows:
        return page.empty
    what = "nothing here is wrong" if ui.problems else "no row is left"
    wanted = f" of what contains {ui.search!r}" if ui.search else ""
    return f"{what}{wanted}: Esc shows all {len(page.rows)}"


def _prompt(ui: Ui, page: Page, where: str, width: int, look: Look) -> Line:
    if ui.prompt is not None:
        return _typing(ui.prompt, width, look)
    if ui.notice is not None:
        told = fit(line(ui.notice.text, ui.notice.tone), max(0, width - len(where) - 2), look)
        gap = width - len(where) - sum(columns_of(span.text) for span in told)
        return fit((*told, Span(" " * max(0, gap) + where, Tone.STRONG)), width, look)
    return fit(_offers(ui, page, where, width), width, look)


def _typing(prompt: Prompt, width: int, look: Look) -> Line:
    """The prompt with its cursor; of a long text the part around the cursor, of a token not what it says."""
    text, at = prompt.text, prompt.at
    before, under, after = text[:at], text[at : at + 1], text[at + 1 :]
    if before.startswith("enrol ") and len(before) > 24:
        before = f"{before[:14]}{look.signs.cut} ({len(text) - 6} characters)"
    before = clean(before, look)[-max(0, width - 2) :] if width > 2 else ""
    return fit((Span(prompt.sign + before), Span(under or " ", Tone.CHOSEN), Span(after)), width, look)


def _offers(ui: Ui, page: Page, where: str, width: int) -> Line:
    made: list[Span] = []
    for action in page.actions:
        if ui.root or not action.changes:
            made += [Span(action.letter, Tone.STRONG), Span(f" {action.label}  ")]
    if can_open(page):
        made += [Span("Enter", Tone.STRONG), Span(" all about it  ")]
    if ui.page in (Name.HELP, Name.DETAIL) or ui.offer is not None:
        made += [Span("Esc", Tone.STRONG), Span(" back  ")]
    made += [Span("?", Tone.STRONG), Span(" help  "), Span("q", Tone.STRONG), Span(" quit")]
    right = "  ".join(part for part in (_limits(ui), where) if part)
    gap = width - sum(columns_of(span.text) for span in made) - columns_of(right)
    if right and gap > 1:
        made += [Span(" " * gap), Span(right, Tone.STRONG)]
    return tuple(made)


def _limits(ui: Ui) -> str:
    return " ".join(
        part for part in (f"/{ui.search}" if ui.search else "", "!" if ui.problems else "") if part
    )


def _screens(ui: Ui, width: int, look: Look) -> Line:
    names = [name.value for name in NUMBERED]
    if _width(names) > width:
        names = [name[:_SHORT_NAME] for name in names]
    made: list[Span] = []
    for index, name in enumerate(names):
        here = NUMBERED[index] in (ui.page, ui.back[-1] if ui.back else None)
        made.append(Span(f"{(index + 1) % 10}", Tone.DIM))
        made.append(Span(name, Tone.CHOSEN if here else Tone.PLAIN))
        made.append(Span(" " if index < len(names) - 1 else ""))
    return fit(tuple(made), width, look)


def _width(names: Sequence[str]) -> int:
    return sum(len(name) + 2 for name in names) - 1
