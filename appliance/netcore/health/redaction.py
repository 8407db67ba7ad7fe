# SPDX-License-Identifier: Apache-2.0
"""What must not leave the device in a bug report is taken out of its text. Pure."""

import hashlib
import re

_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_TOKEN = re.compile(r"orillo1\.[A-Za-z0-9_\-.=]+")
_SECRET = re.compile(
    r"""(?ix) (["']? \b (?:secret|password|passwd|psk|private_?key|auth[_-]?key|token) ["']? \s* [:=] \s*)
        ("[^"]*" | '[^']*' | [^\s,;}\]]+)"""
)
_BASIC = re.compile(r"(?i)(authorization:\s*\w+\s+)\S+")
_V4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_V6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{1,4}:){2,7}(?:[0-9a-fA-F]{1,4})?(?::[0-9a-fA-F]{1,4}){0,6}(?![\w:])|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){1,6}:(?:[0-9a-fA-F]{1,4})?(?![\w:])")  # fmt: skip  # noqa: E501


def without_secrets(text: str) -> str:
    """The text with private keys, tokens and passwords replaced."""
    text = _KEY.sub("[private key removed]", text)
    text = _TOKEN.sub("[token removed]", text)
    text = _BASIC.sub(r"\1[removed]", text)
    return _SECRET.sub(r'\1"[removed]"', text)


def without_addresses(text: str, salt: bytes) -> str:
    """The text with every address replaced by a hash: the same address by the same, in one report only."""

    def hashed(match: re.Match[str]) -> str:
        digest = hashlib.blake2s(match[0].lower().encode(), key=salt, digest_size=4).hexdigest()
        return f"[addr-{digest}]"

    return _V4.sub(hashed, _V6.sub(hashed, text))
