# SPDX-License-Identifier: Apache-2.0
"""What an enrolment token says before it is used: whom this device would trust. Pure."""

from dataclasses import dataclass, field

from appliance.netcore.plan.token import TokenError, parse_token


class NoTokenError(ValueError):
    """The text is no enrolment token; nothing of it is repeated here, for it may hold a secret."""


@dataclass(frozen=True)
class Offer:
    """A token that was read: where it leads, and the pin of the CA that would be trusted."""

    url: str
    ca_pin: str
    text: str = field(repr=False)


def read_offer(text: str) -> Offer:
    """Read a token as it was typed or pasted, also over several lines. Raises `NoTokenError`."""
    word = "".join(text.split())
    try:
        token = parse_token(word)
    except TokenError as error:
        raise NoTokenError(str(error)) from error
    return Offer(token.enroll_url, token.ca_pin, word)
