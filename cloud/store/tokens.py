# SPDX-License-Identifier: Apache-2.0
"""Enrolment tokens.

Of a secret the store knows its SHA-256 only; it has 256 random bits, so that no slower hash is needed.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from appliance.netcore.plan import exchange
from appliance.netcore.plan.identity import is_name
from cloud.store.database import Database, to_text, to_time


class Refused(StrEnum):
    """Why a token does not let anyone in; the values are the codes that devices are told."""

    UNKNOWN = exchange.TOKEN_UNKNOWN
    USED = exchange.TOKEN_USED
    EXPIRED = exchange.TOKEN_EXPIRED
    NAME = exchange.TOKEN_NAME
    TAKEN = exchange.NAME_TAKEN


class TokenRefusedError(Exception):
    """A token that does not let anyone in."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class StoredToken:
    """What is kept of a token: nothing that would let anyone in.

    `name` is whom it lets in: a device's name, or a pattern such as `node-*` for `uses` devices, of which
    `used` came; `used_at` is when the last one did.
    """

    id: str
    name: str
    expires: datetime
    used_at: datetime | None
    uses: int = 1
    used: int = 0

    @property
    def for_many(self) -> bool:
        """Whether devices say themselves who they are, within its pattern."""
        return is_pattern(self.name)

    def admit(self, asked: str, now: datetime) -> str:
        """The name that its holder enrols as, who asks for `asked`. Raises `TokenRefusedError`."""
        if self.used >= self.uses:
            raise TokenRefusedError(Refused.USED)
        if self.expires <= now:
            raise TokenRefusedError(Refused.EXPIRED)
        return self.name_for(asked)

    def name_for(self, asked: str) -> str:
        """The same, also if the token is used up or has expired. Raises `TokenRefusedError`."""
        if not self.for_many:
            return self.name
        if not is_name(asked) or not fnmatchcase(asked, self.name):
            raise TokenRefusedError(Refused.NAME)
        return asked


def is_pattern(name: str) -> bool:
    """Whether this stands for several names, as in a shell: `*`, `?`, `[...]`."""
    return any(sign in name for sign in "*?[")


class Tokens:
    """The table of tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token_id: str, secret: str, name: str, expires: datetime, uses: int = 1) -> None:
        """Let whoever has `secret` enrol as `name` (or a name like it), `uses` times, before `expires`."""
        values = (token_id, _hash(secret), name, to_text(expires), uses)
        self._database.run(
            "INSERT INTO tokens (id, secret_hash, name, expires_at, uses) VALUES (?, ?, ?, ?, ?)", *values
        )

    def all(self) -> list[StoredToken]:
        """Every token, used and expired ones too, the last to expire first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM tokens ORDER BY expires_at DESC, id")  # noqa: S608
        return [_token(*row) for row in rows]

    def find(self, token_id: str, secret: str) -> StoredToken:
        """The token whose secret this is; what became of one is told to its holder only.

        Raises `TokenRefusedError`.
        """
        statement = f"SELECT secret_hash, {_COLUMNS} FROM tokens WHERE id = ?"  # noqa: S608
        found = self._database.rows(statement, token_id)
        if not found or not hmac.compare_digest(found[0][0], _hash(secret)):
            raise TokenRefusedError(Refused.UNKNOWN)
        return _token(*found[0][1:])

    def redeem(self, token_id: str, secret: str, now: datetime, asked: str = "") -> StoredToken:
        """Use the token up, once; what it was before. Raises `TokenRefusedError`.

        It stands in the transaction that enrols the device. `asked` is whom the holder wants to be.
        """
        token = self.find(token_id, secret)
        token.admit(asked, now)
        self._database.run(
            "UPDATE tokens SET used = used + 1, used_at = ? WHERE id = ?", to_text(now), token_id
        )
        return token

    def revoke(self, token_id: str) -> bool:
        """Forget a token; whether it was there."""
        return self._database.run("DELETE FROM tokens WHERE id = ?", token_id) > 0

    def void(self, now: datetime) -> None:
        """Let no token in any more that was open."""
        moment = to_text(now)
        self._database.run("UPDATE tokens SET expires_at = ? WHERE expires_at > ?", moment, moment)


_COLUMNS = "id, name, expires_at, used_at, uses, used"


def _token(token_id: str, name: str, expires: str, used_at: str | None, uses: int, used: int) -> StoredToken:
    return StoredToken(token_id, name, to_time(expires), to_time(used_at) if used_at else None, uses, used)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
