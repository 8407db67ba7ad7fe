# SPDX-License-Identifier: Apache-2.0
"""From a plan as worked out to the one that a device is told: numbered, dated and signed if it is news.

A plan is put together from written parts. Devices of one kind see the same services, and all connectors the
same edges, as the same objects: each is written once, whatever number of plans it stands in.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from operator import is_
from typing import Any

from msgspec.structs import replace

from appliance.netcore.plan.codec import LATER, OUTSIDE_DIGEST
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.validation import check, service_problems
from appliance.netcore.plan.values import encode
from cloud.ca.keys import PlanKey
from cloud.store.heads import PlanHead
from cloud.store.plans import StoredPlan

_FIELDS = tuple(sorted(Plan.__struct_fields__))
#: Values that many plans share as a whole.
_SHARED = frozenset(("trust", "tunnel", "fabric", "service_range"))
#: How many written parts are kept at most: each of 10,000 devices as its several kinds of peers see it.
_MANY = 100_000
#: Of how many sets of services it is kept that they were found to be sound.
_FEW = 64


class PlanningError(ValueError):
    """A change after which a plan would contradict itself; the text says whose and how."""


class Press:
    """Makes documents of plans, and remembers what it wrote."""

    def __init__(self, key: PlanKey) -> None:
        self._key = key
        #: By the identity of an object, which is kept with it lest another one comes to have the same.
        self._written: dict[int, tuple[object, bytes]] = {}
        self._checked: dict[int, tuple[object, tuple[str, ...]]] = {}
        #: By the device's name, what of its last plan was found to be sound.
        self._sound: dict[str, tuple[object, ...]] = {}
        self._peers: tuple[object, bytes] = (None, b"")

    def next_plan(self, plan: Plan, before: PlanHead | None, now: datetime) -> StoredPlan | None:
        """What to tell the device, or None if `before` says the same already. Raises `PlanningError`.

        Number, time and author are no news in themselves.
        """
        parts = self._parts(plan)
        fingerprint = _digest(parts | _numbered(1, ""))
        if before and not before.withdrawn and before.fingerprint == fingerprint:
            return None
        generation = before.generation + 1 if before else 1
        parts |= _numbered(generation, plan.author)
        return self._made(plan, generation, parts, fingerprint, now)

    def digest_as(self, plan: Plan, generation: int) -> str:
        """The digest that the plan has under this number."""
        return _digest(self._parts(plan) | _numbered(generation, plan.author))

    def numbered(self, plan: Plan, generation: int, now: datetime) -> StoredPlan:
        """The plan under this number. Raises `PlanningError`."""
        parts = self._parts(plan) | _numbered(generation, plan.author)
        return self._made(plan, generation, parts, "", now)

    def _made(
        self, plan: Plan, generation: int, parts: dict[str, bytes], fingerprint: str, now: datetime
    ) -> StoredPlan:
        name = plan.identity.name
        if problems := self._problems(plan):
            raise PlanningError(f"the plan of {name} would contradict itself: {'; '.join(problems)}")
        digest = _digest(parts)
        document = self._sign(parts, digest, now.replace(microsecond=0))
        return StoredPlan(name, generation, digest, fingerprint, document)

    def _sign(self, parts: dict[str, bytes], digest: str, issued_at: datetime) -> bytes:
        moment = encode(issued_at)
        signature = self._key.signature(digest, moment.decode().strip('"'))
        signed = {"digest": encode(digest), "issued_at": moment, "signature": encode(signature)}
        return _joined(parts | signed)

    def _parts(self, plan: Plan) -> dict[str, bytes]:
        values = {name: getattr(plan, name) for name in _FIELDS if name not in OUTSIDE_DIGEST}
        return {name: self._part(name, value) for name, value in values.items() if value or name not in LATER}

    def _part(self, name: str, value: Any) -> bytes:
        if name == "services":
            return self._services(value)
        if name == "peers":
            return self._peers_of(value)
        return self._write(value) if name in _SHARED else encode(value)

    def _services(self, services: Mapping[str, Any]) -> bytes:
        """Devices of one sort have the very same."""
        found = self._written.get(id(services))
        if found is None:
            found = (services, self._map(services))
            self._keep(found)
        return found[1]

    def _peers_of(self, peers: Mapping[str, Any]) -> bytes:
        """Every device has others; one's may be asked for twice in turn."""
        if self._peers[0] is not peers:
            self._peers = (peers, self._map(peers))
        return self._peers[1]

    def _map(self, values: Mapping[str, Any]) -> bytes:
        write = self._write
        return b"{%b}" % b",".join([b'"%b":%b' % (k.encode(), write(values[k])) for k in sorted(values)])

    def _write(self, value: object) -> bytes:
        found = self._written.get(id(value))
        if found is None:
            found = (value, encode(value))
            self._keep(found)
        return found[1]

    def _keep(self, written: tuple[object, bytes]) -> None:
        if len(self._written) >= _MANY:
            self._written.clear()
        self._written[id(written[0])] = written

    def _problems(self, plan: Plan) -> tuple[str, ...]:
        """As `check`, with what is the same as in plans before not looked at again."""
        services = plan.services
        found = self._checked.get(id(services))
        if found is None:
            if len(self._checked) >= _FEW:
                self._checked.clear()
            found = self._checked[id(services)] = (services, tuple(service_problems(services)))
        return (*self._problems_beside(plan), *found[1])

    def _problems_beside(self, plan: Plan) -> tuple[str, ...]:
        """Those that services have no part in."""
        name = plan.identity.name
        looked_at = tuple(getattr(plan, field) for field in _LOOKED_AT)
        before = self._sound.get(name, ())
        if len(before) == len(looked_at) and all(map(is_, before, looked_at)):
            return ()
        problems = check(replace(plan, services={}))
        if not problems:
            self._sound[name] = looked_at
        return problems


#: What `check` looks at, beside services and the number of the plan, which is ours.
_LOOKED_AT = ("identity", "place", "peers", "policy", "prefixes", "lan", "groups", "tunnel")


def _numbered(generation: int, author: str) -> dict[str, bytes]:
    return {"generation": encode(generation), "author": encode(author)}


def _digest(parts: Mapping[str, bytes]) -> str:
    return hashlib.sha256(_joined(parts)).hexdigest()


def _joined(parts: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join([b'"%b":%b' % (name.encode(), parts[name]) for name in sorted(parts)])


def without_plan(before: PlanHead) -> StoredPlan:
    """What is kept for a device that no plan is made for any more: its number."""
    return StoredPlan(before.name, before.generation, digest="", fingerprint="", document=None)
