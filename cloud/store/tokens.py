# SPDX-License-Identifier: Apache-2.0
"""Enrolment tokens.

Of a secret the store knows its SHA-256 only; it has 256 random bits, so that no slower hash is needed.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.netcore.plan import exchange
from cloud.store.database import Database, to_text, to_time


class Refused(StrEnum):
    """Why a token does not let anyone in; the values are the codes that devices are told."""

    UNKNOWN = exchange.TOKEN_UNKNOWN
    USED = exchange.TOKEN_USED
    EXPIRED = exchange.TOKEN_EXPIRED


class TokenRefusedError(Exception):
    """A token that does not let anyone in."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class StoredToken:
    """What is kept of a token: nothing that would let anyone in."""

    id: str
    name: str
    expires: datetime
    used_at: datetime | None


class Tokens:
    """The table of tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token_id: str, secret: str, name: str, expires: datetime) -> None:
        """Let whoever has `secret` enrol as `name`, once, before `expires`."""
        values = (token_id, _hash(secret), name, to_text(expires))
        self._database.run("INSERT INTO tokens VALUES (?, ?, ?, ?, NULL)", *values)

    def all(self) -> list[StoredToken]:
        """Every token, used and expired ones too, the last to expire first."""
        rows = self._database.rows(
            "SELECT id, name, expires_at, used_at FROM tokens ORDER BY expires_at DESC, id"
        )
        return [
            StoredToken(token_id, name, to_time(expires), to_time(used) if used else None)
            for token_id, name, expires, used in rows
        ]

    def redeem(self, token_id: str, secret: str, now: datetime) -> str:
        """Use the token up and return whom it is for; raises `TokenRefusedError`.

        It stands in the transaction that enrols the device. Whether a token was used or has expired is told
        to its holder only.
        """
        found = self._database.rows(
            "SELECT secret_hash, name, expires_at, used_at FROM tokens WHERE id = ?", token_id
        )
        if not found or not hmac.compare_digest(found[0][0], _hash(secret)):
            raise TokenRefusedError(Refused.UNKNOWN)
        _, name, expires, used = found[0]
        if used is not None:
            raise TokenRefusedError(Refused.USED)
        if to_time(expires) <= now:
            raise TokenRefusedError(Refused.EXPIRED)
        self._database.run("UPDATE tokens SET used_at = ? WHERE id = ?", to_text(now), token_id)
        return str(name)

    def void(self, now: datetime) -> None:
        """Let no token in any more that was open."""
        moment = to_text(now)
        self._database.run("UPDATE tokens SET expires_at = ? WHERE expires_at > ?", moment, moment)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
