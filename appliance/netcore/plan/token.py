# SPDX-License-Identifier: Apache-2.0
"""The enrolment token: `<id>.<secret>` in an envelope that says where to go and whom to believe there."""

import base64

import msgspec

from appliance.netcore.plan.values import decode, encode

_PREFIX = "orillo1."


class TokenError(ValueError):
    """The text is no token of ours."""


_REMEDY = "give it whole, or get a new one with `orillo-cloud token create --name NODE`"


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token's text carries. `ca_pin` is the SHA-256 (hex) of the CA certificate's DER bytes."""

    id: str
    secret: str
    enroll_url: str
    control_url: str
    ca_pin: str

    def __repr__(self) -> str:
        return f"Token(id={self.id!r}, secret=hidden)"

    def to_text(self) -> str:
        """One word of letters, digits, `.`, `-` and `_`, to be pasted or typed."""
        return _PREFIX + base64.urlsafe_b64encode(encode(self)).decode().rstrip("=")


def parse_token(text: str) -> Token:
    """Read a token's text; raises `TokenError` without repeating any of it, for it holds a secret."""
    text = text.strip()
    if not text.startswith(_PREFIX):
        raise TokenError(f"this is no enrolment token, which starts with {_PREFIX!r}: {_REMEDY}")
    body = text.removeprefix(_PREFIX)
    try:
        return decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), Token)
    except (msgspec.MsgspecError, ValueError) as error:
        raise TokenError(f"this token is damaged, part of it is missing or was changed: {_REMEDY}") from error
