# SPDX-License-Identifier: Apache-2.0
"""What must not leave the device in a bug report is taken out of its text. Pure."""

import hashlib
import re
from ipaddress import AddressValueError, IPv6Address

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
#: What may be an IPv6 address, in any spelling; `ipaddress` decides.
_V6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}:[0-9a-fA-F:]*:?(?:[0-9a-fA-F]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?")
_HARDWARE = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:])")


def without_secrets(text: str) -> str:
    """The text with private keys, tokens and passwords replaced."""
    text = _KEY.sub("[private key removed]", text)
    text = _TOKEN.sub("[token removed]", text)
    text = _BASIC.sub(r"\1[removed]", text)
    return _SECRET.sub(r'\1"[removed]"', text)


def without_addresses(text: str, salt: bytes) -> str:
    """The text with every IP and hardware address replaced by a hash.

    The same address by the same, whatever its spelling, in one report only.
    """

    def hashed(address: str) -> str:
        digest = hashlib.blake2s(address.lower().encode(), key=salt, digest_size=4).hexdigest()
        return f"[addr-{digest}]"

    def if_v6(match: re.Match[str]) -> str:
        # A colon may belong to the sentence: "fd00::1: no answer".
        for end in ("", ":"):
            try:
                return hashed(str(IPv6Address(match[0].removesuffix(end) if end else match[0]))) + end
            except AddressValueError:
                continue
        return match[0]

    text = _HARDWARE.sub(lambda match: hashed(match[0]), text)
    return _V4.sub(lambda match: hashed(match[0]), _V6.sub(if_v6, text))
