# SPDX-License-Identifier: Apache-2.0
"""The catalogue as a whole: every entry can be told, in both languages, and explains without a circle."""

import string

import pytest

from appliance.netcore.health.catalogue import CATALOGUE, KINDS
from appliance.netcore.health.kind import Kind
from appliance.netcore.health.words import Language, choose_language, say

EACH = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.code)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_there_are_many_and_each_is_there_once() -> None:
    assert len(CATALOGUE) >= 40
    assert len(KINDS) == len(CATALOGUE)


@EACH
def test_causes_are_known_and_never_the_effect_of_their_effect(kind: Kind) -> None:
    seen: set[str] = set()
    waiting = list(kind.depends_on)
    while waiting:
        cause = waiting.pop()
        assert cause in KINDS
        assert cause != kind.code
        if cause not in seen:
            seen.add(cause)
            waiting += KINDS[cause].depends_on


@EACH
def test_sentences_fit_each_other(kind: Kind) -> None:
    """Whole sentences, about the same things in both languages, and Chinese ones in Chinese."""
    assert kind.en.text.endswith(".")
    assert kind.en.action.endswith((".", "?"))
    assert kind.en.text.isascii()
    assert kind.en.action.isascii()
    assert kind.zh.text.endswith("。")
    assert fields(kind.zh.text) == fields(kind.en.text)
    assert fields(kind.zh.action) <= fields(kind.en.text) | fields(kind.en.action)


@EACH
def test_entry_can_be_said_without_knowing_what_it_is_about(kind: Kind) -> None:
    for language in Language:
        assert say(kind.code, {}, language).action


def test_what_it_is_about_stands_in_the_sentence() -> None:
    words = say("link-no-carrier", {"link": "eth0"})
    assert "eth0" in words.text
    assert "eth0" in words.action


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, Language.ENGLISH),
        ({"LANG": "de_DE.UTF-8", "TERM": "xterm"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "TERM": "xterm-256color"}, Language.CHINESE),
        ({"LANG": "zh_CN.utf8", "TERM": "vt220"}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "TERM": "linux"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, Language.ENGLISH),
        ({"LANG": "zh_CN.GB18030", "TERM": "xterm"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm"}, Language.ENGLISH),
        ({"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "C", "TERM": "xterm"}, Language.CHINESE),
    ],
)
def test_language_is_that_of_the_terminal(variables: dict[str, str], language: Language) -> None:
    assert choose_language(variables) is language
