# SPDX-License-Identifier: Apache-2.0
"""What a check says it has seen can be said in Chinese: every sentence in the source, found by reading it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from appliance.netcore.health.catalogue import KINDS
from appliance.netcore.health.chinese import SEEN, evidence
from appliance.netcore.health.condition import Condition, Severity
from appliance.status.speech import Language, in_language

ROOT = Path(__file__).parents[3] / "appliance"


def said() -> Iterator[tuple[str, str]]:
    """(code, sentence) of every `Finding` in the source, with X1, X2, ... for what is put in."""
    for file in sorted((*ROOT.glob("checks/*.py"), ROOT / "status/told.py")):
        tree = ast.parse(file.read_text())
        for function in (
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            assigned = list(_assigned(function))
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if isinstance(call.func, ast.Name) and call.func.id == "Finding" and len(call.args) > 1:
                    code, text = call.args[:2]
                    texts = {name: value for name, value in assigned if value.lineno < call.lineno}
                    if isinstance(code, ast.Constant):
                        yield from ((str(code.value), one) for one in _sentences(text, texts))


def _assigned(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _sentences(text: ast.expr, texts: dict[str, ast.expr]) -> Iterator[str]:
    match text:
        case ast.Constant(value=str(value)):
            yield value
        case ast.JoinedStr(values=parts):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"X{number}"
                for number, part in enumerate(parts)
            )
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _sentences(part, texts)
        case ast.Name(id=name) if name in texts and not isinstance(texts[name], ast.Name):
            yield from _sentences(texts[name], texts)


ALL = sorted(set(said()))


def test_many_sentences_were_found() -> None:
    assert len(ALL) > 55


@pytest.mark.parametrize(("code", "sentence"), ALL, ids=lambda value: str(value)[:40])
def test_sentence_of_a_check_has_a_chinese_one(code: str, sentence: str) -> None:
    if re.fullmatch(r"X\d+", sentence):
        return  # another program's own words
    chinese = evidence(code, sentence)
    assert not chinese.isascii(), f"{code}: {sentence}"
    # Whatever was put in is still there.
    assert set(re.findall(r"X\d+", chinese)) == set(re.findall(r"X\d+", sentence))


@pytest.mark.parametrize("code", SEEN)
def test_entry_is_of_a_condition_and_says_the_same(code: str) -> None:
    assert code in KINDS
    for english, chinese in SEEN[code]:
        names = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, chinese)]
        assert names[0] == names[1]


def test_words_of_ours_are_translated_where_they_are_put_in() -> None:
    seen = evidence("ike-no-answer", "203.0.113.11: UDP 500 silent, UDP 4500 blocked, ping answered")
    assert seen == "203.0.113.11：UDP 500 无响应，UDP 4500 被阻断，ping 有响应"


def test_other_programs_own_words_stay() -> None:
    told = "received AUTHENTICATION_FAILED notify error"
    assert evidence("ike-auth-failed", told) == told


def test_terminal_gets_the_whole_condition_in_chinese() -> None:
    found = Condition(
        "table-failed", Severity.FAULT, "", "", "routes: 2 failed: no", about={"table": "kernel settings"}
    )
    chinese = in_language(found, Language.CHINESE)
    assert chinese.text == "代理无法设置 内核参数。"
    assert chinese.evidence == "路由：2 项失败：no"
