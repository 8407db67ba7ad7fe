# SPDX-License-Identifier: Apache-2.0
"""Conditions in the language of who stands in front of the device. Pure."""

import msgspec

from appliance.netcore.health.catalogue import KINDS
from appliance.netcore.health.words import (
    Language as Language,
)  # for the terminal, which knows the status only
from appliance.netcore.health.words import choose_language as choose_language
from appliance.netcore.health.words import say, seen
from appliance.status.model import Condition


def in_language(condition: Condition, language: Language) -> Condition:
    """The condition with its sentences in this language; one that is not in our catalogue stays as it is."""
    if language is Language.ENGLISH or condition.code not in KINDS:
        return condition
    words = say(condition.code, condition.about, language)
    evidence = seen(condition.code, condition.evidence, language)
    return msgspec.structs.replace(condition, text=words.text, remedy=words.action, evidence=evidence)
