# SPDX-License-Identifier: Apache-2.0
"""Documents that are put together from written parts are those that signing the whole plan gives."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from msgspec.structs import replace

from appliance.netcore.plan.codec import digest_of, to_document
from appliance.netcore.plan.signature import verify
from cloud.ca.keys import PlanKey
from cloud.planner.inventory import Inventory
from cloud.publish import Press
from cloud.store.heads import PlanHead
from tests.unit.planner.worlds import demo, inventories, plans

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_same_bytes_as_of_a_whole_plan(tmp_path: Path) -> None:
    key = PlanKey.create(tmp_path / "plan.key")
    press = Press(key)
    for name, plan in plans(demo()).items():
        made = press.next_plan(plan, PlanHead(name, 6, "old", False, "old"), NOW)
        numbered = replace(plan, generation=7, issued_at=NOW)
        assert made
        assert made.document == key.sign(numbered)
        assert made.digest == press.digest_as(plan, 7)
        assert verify(made.document, key.trusted, plan.identity) == numbered


def test_news_is_what_differs_in_more_than_number_and_author(tmp_path: Path) -> None:
    press = Press(PlanKey.create(tmp_path / "plan.key"))
    plan = plans(demo())["shop1"]
    made = press.next_plan(plan, None, NOW)
    assert made
    head = PlanHead("shop1", made.generation, made.digest, False, made.fingerprint)
    assert press.next_plan(replace(plan, author="another"), head, NOW) is None
    assert press.next_plan(replace(plan, services={}), head, NOW)
    assert press.next_plan(plan, replace_head(head), NOW)


def replace_head(head: PlanHead) -> PlanHead:
    """The same, of a device that has no plan at present."""
    return PlanHead(head.name, head.generation, head.digest, True, "")


@settings(max_examples=30)
@given(inventories())
def test_digests_are_those_of_the_whole(inventory: Inventory) -> None:
    press = Press(PlanKey(None))  # type: ignore[arg-type]
    for plan in plans(inventory).values():
        assert press.digest_as(plan, 1) == digest_of(to_document(plan))
