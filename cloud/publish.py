# SPDX-License-Identifier: Apache-2.0
"""From a plan as worked out to the one that a device is told: numbered, dated and signed if it is news."""

from datetime import datetime

from msgspec.structs import replace

from appliance.netcore.plan.codec import digest_of, to_document
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.validation import check
from cloud.ca.keys import PlanKey
from cloud.store.plans import StoredPlan


class PlanningError(ValueError):
    """A change after which a plan would contradict itself; the text says whose and how."""


def next_plan(plan: Plan, before: StoredPlan | None, key: PlanKey, now: datetime) -> StoredPlan | None:
    """What to tell the device, or None if `before` says the same already. Raises `PlanningError`.

    Number, time and author are no news in themselves.
    """
    fingerprint = digest_of(to_document(replace(plan, generation=1, author="")))
    if before and before.document and before.fingerprint == fingerprint:
        return None
    name = plan.identity.name
    if problems := check(plan):
        raise PlanningError(f"the plan of {name} would contradict itself: {'; '.join(problems)}")
    generation = before.generation + 1 if before else 1
    numbered = replace(plan, generation=generation, issued_at=now.replace(microsecond=0))
    return StoredPlan(
        name=name,
        generation=generation,
        digest=digest_of(to_document(numbered)),
        fingerprint=fingerprint,
        document=key.sign(numbered),
    )


def without_plan(before: StoredPlan) -> StoredPlan:
    """What is kept for a device that no plan is made for any more: its number."""
    return StoredPlan(before.name, before.generation, digest="", fingerprint="", document=None)
