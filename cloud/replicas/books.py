# SPDX-License-Identifier: Apache-2.0
"""What the replicas of an operator share, as pages that are changed by compare-and-swap: pure.

Two books. `devices` has who is enrolled and what each device was given, and changes seldom. `plans` has the
number and the digest of what each device is told, and changes with every plan. Both are cut into pages by
the device's name, so that a change of the whole fleet is a few writes, and none nears an object's limit.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from appliance.netcore.plan.values import Address, Prefix, builtins, convert
from cloud.planner.allocation import Allocation
from cloud.source.kinds import Kind
from cloud.store.heads import PlanHead

API_VERSION = "orillo.io/v1alpha1"
LEDGER = Kind("Ledger", "ledgers", "led", (API_VERSION,))
DEVICES, PLANS = "devices", "plans"
_SIGNS = "0123456789abcdef"
#: Every page of both books.
PAGES = tuple(f"{book}-{sign}" for book in (DEVICES, PLANS) for sign in _SIGNS)
#: So many hex digits of a digest tell a device's plans apart; what is signed and sent has all of them.
_DIGITS = 32
_WITHDRAWN = "-"


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A part of a page."""


class Enrolment(_Part, frozen=True):
    """One instance of a device: since when it is enrolled, and since when it is not valid any more.

    `key` is the fingerprint of the one that it enrolled with; empty if an older operator let it in.
    """

    instance: str
    at: datetime
    revoked: datetime | None = None
    key: str = ""


class Record(_Part, frozen=True):
    """A device: its enrolments, what it was given, and the number from which its next plan goes on."""

    enrolments: tuple[Enrolment, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    overlay: tuple[Address, ...] = ()
    floor: int = 0

    @property
    def valid(self) -> str | None:
        """The instance that counts."""
        return next((each.instance for each in self.enrolments if each.revoked is None), None)

    @property
    def allocation(self) -> Allocation:
        """What it was given."""
        return Allocation(self.prefixes, self.overlay)

    def given(self, allocation: Allocation) -> "Record":
        """The same device with these prefixes and addresses."""
        return replace(self, prefixes=allocation.prefixes, overlay=allocation.overlay)

    def enrolled(self, instance: str, now: datetime, key: str) -> "Record":
        """`instance` is the valid one from now on, and its predecessor is revoked."""
        newest = Enrolment(instance, now, key=key)
        return replace(self, enrolments=(*self.shut_out(now).enrolments, newest))

    def shut_out(self, now: datetime) -> "Record":
        """No instance is valid any more."""
        told = tuple(each if each.revoked else replace(each, revoked=now) for each in self.enrolments)
        return replace(self, enrolments=told)

    def without(self, before: datetime) -> "Record":
        """Without the instances that were revoked `before`: their leaves have run out by themselves."""
        kept = tuple(each for each in self.enrolments if not each.revoked or each.revoked >= before)
        return self if kept == self.enrolments else replace(self, enrolments=kept)


class Head(NamedTuple):
    """What a device is told: the plan of this number, digest and author; none if the digest is empty."""

    generation: int
    digest: str
    author: str

    @classmethod
    def of(cls, generation: int, digest: str, author: str) -> "Head":
        """The head of a plan with this digest."""
        return cls(generation, digest[:_DIGITS], author)

    def names(self, generation: int, digest: str) -> bool:
        """Whether it is the head of this plan."""
        return bool(self.digest) and self.generation == generation and self.digest == digest[:_DIGITS]

    def is_of(self, plan: PlanHead | None) -> bool:
        """Whether it is the head of this plan of the store's."""
        return plan is not None and not plan.withdrawn and self.names(plan.generation, plan.digest)

    @property
    def withdrawn(self) -> bool:
        """Whether the device is told nothing at present."""
        return not self.digest

    def to_text(self) -> str:
        """One line: `7 3f2a... kubernetes`."""
        return f"{self.generation} {self.digest or _WITHDRAWN} {self.author}"

    @classmethod
    def from_text(cls, text: str) -> "Head":
        """What `to_text` wrote. Raises `ValueError`."""
        number, digest, author = text.split(" ", 2)
        return cls(int(number), "" if digest == _WITHDRAWN else digest, author)


class Page(msgspec.Struct, frozen=True):
    """One page as the API server has it at `version`; `serial` rises by one with every change.

    `holder` is the leader that may write it, in its `epoch`; enrolments are written by any replica.
    """

    name: str
    version: str = ""
    serial: int = 0
    epoch: int = 0
    holder: str = ""
    devices: dict[str, Record] = {}
    plans: dict[str, Head] = {}


class LedgerSpec(_Part, frozen=True):
    """One page of what the operator's replicas share; written by them alone, by compare-and-swap."""

    serial: int
    epoch: int = 0
    holder: str = ""
    devices: dict[str, Record] = {}
    plans: dict[str, str] = {}


class _Metadata(_Part, frozen=True):
    name: str
    resource_version: str = ""


class Ledger(_Part, frozen=True):
    """`orillo.io/v1alpha1` Ledger: who is enrolled, what was given, and which plan each device is told."""

    metadata: _Metadata
    spec: LedgerSpec


def page_of(book: str, name: str) -> str:
    """The page of a book that a device stands on."""
    return f"{book}-{sha256(name.encode()).hexdigest()[0]}"


def by_page(book: str, names: Iterable[str]) -> dict[str, list[str]]:
    """The names by their page of a book."""
    pages: dict[str, list[str]] = {}
    for name in sorted(names):
        pages.setdefault(page_of(book, name), []).append(name)
    return pages


def read_page(body: Any) -> Page:
    """A page out of its object. Raises `ValueError`."""
    found = convert(body, Ledger)
    spec = found.spec
    return Page(
        found.metadata.name,
        found.metadata.resource_version,
        spec.serial,
        spec.epoch,
        spec.holder,
        spec.devices,
        {name: Head.from_text(text) for name, text in spec.plans.items()},
    )


def write_page(page: Page) -> dict[str, Any]:
    """The object of a page, to be put in the place of its `version`."""
    plans = {name: head.to_text() for name, head in page.plans.items()}
    spec = LedgerSpec(page.serial, page.epoch, page.holder, page.devices, plans)
    body: dict[str, Any] = builtins(Ledger(_Metadata(page.name, page.version), spec))
    body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "orillo-cloud"}
    return {"apiVersion": API_VERSION, "kind": LEDGER.name} | body


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in `new` otherwise than in `old`; None for what is gone."""
    names = {name for name, value in new.items() if old.get(name) != value} | (old.keys() - new.keys())
    return {name: new.get(name) for name in sorted(names)}
