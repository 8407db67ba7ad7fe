# SPDX-License-Identifier: Apache-2.0
"""The key that the next enrolment will ask a certificate for.

It is kept until an enrolment succeeds with it: what was read from the screen must be what the operator sees
in the request, also at a second try. And where the answer was lost on a weak line, it is by its key that the
operator knows again whom it has let in by the token. A token that is refused leaves nothing of a key that
was made for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read, remove, write_atomic
from appliance.netcore.plan.exchange import NAME_TAKEN, TOKEN_EXPIRED, TOKEN_NAME, TOKEN_UNKNOWN, TOKEN_USED
from appliance.paths import Paths
from appliance.status.views import Keys
from appliance.sync.errors import IdentityError, RefusedError
from appliance.sync.identity_keys import key_fingerprint, new_key

_REFUSALS = (TOKEN_UNKNOWN, TOKEN_USED, TOKEN_EXPIRED, TOKEN_NAME, NAME_TAKEN)


@contextmanager
def key_to_ask_with(paths: Paths) -> Iterator[bytes]:
    """The next key, for one enrolment: it is in use after this, or kept for another try, or refused.

    Raises `DoorError`.
    """
    kept = _kept(paths)
    try:
        yield kept or next_key(paths)
    except RefusedError as error:
        if error.code in _REFUSALS and kept is None:
            forget_next_key(paths)
        raise
    with suppress(DoorError):
        # Left behind it would only be this identity's own key once more.
        forget_next_key(paths)


def next_key(paths: Paths) -> bytes:
    """The key (PEM), made now if there is none that can be read. Raises `DoorError`."""
    kept = _kept(paths)
    if kept is None:
        kept = new_key()
        write_atomic(_path(paths), kept, 0o600)
    return kept


def forget_next_key(paths: Paths) -> None:
    """It is in use now, or nobody's any more. Raises `DoorError`."""
    remove(_path(paths))


def keys(paths: Paths) -> Keys:
    """The fingerprints of both keys, of the one in use as far as it can be read. Raises `DoorError`."""
    return Keys(next=key_fingerprint(next_key(paths)), current=_current(paths))


def _kept(paths: Paths) -> bytes | None:
    kept = read(_path(paths))
    try:
        if kept is not None:
            key_fingerprint(kept)
    except IdentityError:
        return None
    return kept


def _current(paths: Paths) -> str:
    try:
        pem = read(paths.identity / "key.pem")
        return key_fingerprint(pem) if pem is not None else ""
    except DoorError:
        return ""


def _path(paths: Paths) -> Path:
    return paths.state / "next-key.pem"
