# SPDX-License-Identifier: Apache-2.0
"""The catalogue's sentences in a person's language."""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from types import ModuleType

from appliance.netcore.health.catalogue import KINDS
from appliance.netcore.health.kind import Words

_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


class Language(StrEnum):
    """What the catalogue is written in."""

    ENGLISH = "en"
    CHINESE = "zh"


def choose_language(environment: Mapping[str, str]) -> Language:
    """The language for a terminal with these variables (locale(7)).

    Chinese in a UTF-8 locale only, and never on the Linux console, whose font has no such characters.
    """
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    name, _, encoding = locale.partition(".")
    is_utf8 = encoding.partition("@")[0].lower().replace("-", "") == "utf8"
    console = environment.get("TERM", "") in ("linux", "dumb", "")
    if name.lower().startswith("zh") and is_utf8 and not console:
        return Language.CHINESE
    return Language.ENGLISH


def say(code: str, about: Mapping[str, str], language: Language = Language.ENGLISH) -> Words:
    """What is so and what to do about it."""
    kind = KINDS[code]
    words = kind.zh if language is Language.CHINESE else kind.en
    named: defaultdict[str, str] = defaultdict(lambda: "?", about)
    if language is Language.CHINESE:
        named.update({name: _chinese().word(value) for name, value in about.items()})
    return Words(words.text.format_map(named), words.action.format_map(named))


def seen(code: str, evidence: str, language: Language = Language.ENGLISH) -> str:
    """What was seen, as a check said it in English, in this language."""
    return _chinese().evidence(code, evidence) if language is Language.CHINESE else evidence


def _chinese() -> ModuleType:
    # Imported when used: the daemon speaks English only.
    from appliance.netcore.health import chinese

    return chinese
