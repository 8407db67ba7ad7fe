# SPDX-License-Identifier: Apache-2.0
"""Every text of ours has its Chinese, which says the same of the same things, and fits."""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from appliance.status.speech import Language
from appliance.tui.chinese import CHINESE
from appliance.tui.look import UNICODE, Look
from appliance.tui.page import Name
from appliance.tui.text import columns_of
from appliance.tui.ui import Ui
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.looks import with_looks
from tests.unit.tui.screens import broken, found, known, text

SOURCES = Path(__file__).parents[3] / "appliance/tui"
#: Which argument of a call is a text that somebody will read.
_READ = {"say": 0, "fact": 1, "Action": 1, "Notice": 0, "_say": 1, "_fingerprint": 0}
#: Heads of tables, and templates that a function chooses from.
_LISTS = ("_HEAD", "_WIDE_HEAD", "_PEERS", "_UPLINKS", "_NAMES", "_WAITING", "_BACKENDS", "_KEYS", "text")
CHINA = Look(signs=UNICODE, language=Language.CHINESE)


def texts() -> Iterator[str]:
    """The texts in the sources."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                at = _READ.get(name)
                if at is not None and len(node.args) > at:
                    yield from constants(node.args[at])
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in _LISTS:
                yield from constants(node.value)


def constants(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be."""
    match node:
        case ast.Constant(value=str(text)) if text.strip():
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from itertools.chain(constants(one), constants(other))
        case ast.Tuple(elts=elements):
            yield from itertools.chain.from_iterable(map(constants, elements))


#: Amounts and names need no words.
_SAME_EVERYWHERE = frozenset({"{reason}", "-", "RTT", "MTU"})


def test_every_text_has_its_chinese() -> None:
    lacking = {text for text in texts() if text not in CHINESE} - _SAME_EVERYWHERE
    assert not {text for text in lacking if any(letter.isalpha() for letter in text)}


@pytest.mark.parametrize("english", sorted(CHINESE))
def test_both_say_the_same_of_the_same_things(english: str) -> None:
    assert fields(CHINESE[english]) == fields(english)


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("name", [one for one in Name if one is not Name.CODE])
def test_chinese_screens_fit(name: Name) -> None:
    for snapshot, size in itertools.product(
        (healthy(), broken(), unenrolled()), ((80, 24), (20, 5), (120, 40))
    ):
        state = replace(with_looks(known(snapshot)), language=Language.CHINESE)
        lines = text(state, Ui(page=name, root=True, back=(Name.TUNNELS,), opened="shop2"), CHINA, *size)
        assert len(lines) == size[1]
        assert max(map(columns_of, lines)) <= size[0]


def test_labels_heads_and_actions_are_chinese() -> None:
    state = replace(with_looks(known(healthy())), language=Language.CHINESE)
    lines = text(state, Ui(page=Name.TUNNELS, root=True), CHINA)
    assert found(lines[:1], "隧道")
    assert found(lines, "路径", "状态", "往返")
    assert found(lines, "重建隧道", "探测", "帮助", "退出")
    assert found(lines[-1:], "1总览 2", "-支持")
    assert found(text(state, Ui(), CHINA), "正常", "一切符合计划")


def test_english_is_what_everybody_else_gets() -> None:
    lines = text(with_looks(known(healthy())), Ui(page=Name.TUNNELS, root=True))
    assert all(line.isascii() for line in lines)
