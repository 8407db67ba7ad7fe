# SPDX-License-Identifier: Apache-2.0
"""How devices come in, stay in, and are shut out."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from appliance.netcore.plan.exchange import Report, TrustAnswer
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.token import Token
from cloud.app import App, Cluster
from cloud.ca.request import fingerprint, public_key_of, wanted_name
from cloud.planner.inventory import InventoryError
from cloud.store.tokens import Refused, StoredToken, TokenRefusedError

log = logging.getLogger(__name__)


def create_token(app: App, name: str, life: timedelta, uses: int = 1, *, keep: bool = True) -> Token:
    """A token that lets its holder enrol as `name` (or as names like it), `uses` times, within `life`.

    If it is not to be kept here, an EnrollToken of the cluster's has to know of it.
    """
    token = Token(
        id=secrets.token_hex(4),
        secret=secrets.token_urlsafe(32),
        enroll_url=app.settings.enroll_url,
        control_url=app.settings.control_url,
        ca_pin=app.issuer.pin,
    )
    if not keep:
        return token
    with app.store.transaction():
        app.store.tokens.add(token.id, token.secret, name, app.now() + life, uses)
    log.info("event=token-created id=%s device=%s", token.id, name)
    return token


@dataclass(frozen=True)
class _Wish:
    """What a certificate request is for: the name that it asks for, and its key's fingerprint."""

    name: str
    key: str

    @classmethod
    def of(cls, request: bytes) -> Self:
        """Raises `RequestError`."""
        return cls(wanted_name(request), fingerprint(public_key_of(request)))


def enroll(app: App, token_id: str, secret: str, request: bytes) -> bytes:
    """Use up a token and issue the leaf of a new instance of its device, in EST's envelope.

    The request is looked at first: a device with a broken one keeps its token. A token for many takes no
    name away from a device that has it, or one stolen from a node would be good for the names of all others.
    Whoever came in by the token and asks again with the same key, because the answer was lost, is answered
    again. Raises `RequestError`, `TokenRefusedError`, and what `App.change` raises; the token is used up only
    if it returns.
    """
    wish = _Wish.of(request)
    token = app.store.tokens.find(token_id, secret)
    if (identity := _came_in(app, token, wish)) is not None:
        return app.issuer.issue(request, identity, app.now())
    now = app.now()
    with app.change("enrolment"):
        app.store.tokens.redeem(token_id, secret, now, wish.name)
        name = token.name_for(wish.name)
        if token.for_many and app.store.devices.valid_instance(name):
            raise TokenRefusedError(Refused.TAKEN)
        identity = app.identity(name, secrets.token_hex(4))
        app.store.devices.enroll(name, identity.instance, now, wish.key)
        return _leaf(app, token, identity, request)


async def enroll_at(app: App, cluster: Cluster, token_id: str, secret: str, request: bytes) -> bytes:
    """As `enroll`, where several replicas know tokens and devices together.

    The token is used up first: what fails then costs one use. Raises `TokenRefusedError`, `RequestError` and
    `ApiError`.
    """
    wish = _Wish.of(request)
    own = _own(app, token_id, secret)
    token = own or await cluster.token(token_id, secret)
    if token.used:
        # It may have come in at another replica, a moment ago.
        await cluster.look(token.name_for(wish.name))
    if (identity := _came_in(app, token, wish)) is not None:
        return app.issuer.issue(request, identity, app.now())
    if own is None:
        await cluster.redeem(token_id, secret, wish.name)
    else:
        with app.store.transaction():
            app.store.tokens.redeem(token_id, secret, app.now(), wish.name)
    identity = app.identity(token.name_for(wish.name), secrets.token_hex(4))
    await cluster.enroll(identity.name, identity.instance, wish.key, alone=token.for_many)
    return _leaf(app, token, identity, request)


def _own(app: App, token_id: str, secret: str) -> StoredToken | None:
    """A token of our own store, from before it followed a cluster."""
    try:
        return app.store.tokens.find(token_id, secret)
    except TokenRefusedError:
        return None


def _came_in(app: App, token: StoredToken, wish: _Wish) -> Identity | None:
    """Who asks, if it came in by a use of this token with the same key, and is not shut out since."""
    if not token.used or token.expires <= app.now():
        return None
    name = token.name_for(wish.name)
    instance = app.store.devices.instance_with(name, wish.key)
    if instance is None:
        return None
    log.info("event=answered-again device=%s instance=%s token=%s", name, instance, token.id)
    return app.identity(name, instance)


def _leaf(app: App, token: StoredToken, identity: Identity, request: bytes) -> bytes:
    leaf = app.issuer.issue(request, identity, app.now())
    log.info("event=enrolled device=%s instance=%s token=%s", identity.name, identity.instance, token.id)
    return leaf


def renew(app: App, identity: Identity, request: bytes) -> bytes:
    """A new leaf for a valid identity. Raises `RequestError`."""
    leaf = app.issuer.issue(request, identity, app.now())
    log.info("event=renewed device=%s instance=%s", identity.name, identity.instance)
    return leaf


def is_valid(app: App, identity: Identity) -> bool:
    """Whether this is the enrolment of its device that counts: not revoked, and not followed by another."""
    is_ours = identity.cluster == app.settings.cluster
    return is_ours and app.store.devices.valid_instance(identity.name) == identity.instance


def revoke(app: App, name: str, author: str) -> bool:
    """Shut the device out, at once here and at its peers with their next plan; whether it was in."""
    with app.change(author) as news:
        was_valid = app.store.devices.revoke(name, app.now())
        if was_valid:
            news.add(name)
    return was_valid


def keep_report(app: App, report: Report) -> None:
    """Keep what a device says of itself."""
    with app.store.transaction():
        app.store.devices.reported(report, app.now())


def trust_answer(app: App) -> TrustAnswer:
    """Whom devices are to believe, and which hubs they may try before they enrol."""
    trust = app.trust
    return TrustAnswer(
        cluster=app.settings.cluster, plan_keys=trust.plan_keys, ca=trust.ca, hubs=tuple(_hubs(app))
    )


def _hubs(app: App) -> Iterator[str]:
    """Where IKE reaches the connectors; none while the inventory makes no sense."""
    with suppress(InventoryError):
        for node in app.inventory().nodes.values():
            if node.is_connector:
                yield from node.dial[:1]
