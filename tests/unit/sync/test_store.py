# SPDX-License-Identifier: Apache-2.0
"""The two slots: whatever happens to one, the other is used, and nothing that does not verify ever is."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.identity import Identity
from appliance.sync.store import Held, PlanStore
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import document, plan_keys

OLD, NEW = document(3), document(4)


@pytest.fixture
def store(tmp_path: Path) -> PlanStore:
    return PlanStore(tmp_path, plan_keys(), SHOP1)


def fill(store: PlanStore, *documents: bytes) -> Held:
    """Put one after the other; the last one is held then."""
    held: Held | None = None
    for data in documents:
        held = store.put(data, held)
    assert held is not None
    return held


def test_empty_store_holds_nothing(store: PlanStore) -> None:
    loaded = store.load()
    assert loaded.held is None
    assert loaded.refused == ()


def test_highest_generation_is_loaded(store: PlanStore) -> None:
    held = fill(store, OLD, NEW)
    assert store.load().held == held
    assert held.plan.generation == 4


def test_two_plans_stand_in_two_slots(store: PlanStore) -> None:
    first = store.put(OLD, None)
    second = store.put(NEW, first)
    third = store.put(document(5), second)
    assert first.slot != second.slot
    assert third.slot == first.slot


def test_plan_that_does_not_verify_is_not_written(store: PlanStore, tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        store.put(OLD.replace(b"shop2", b"shop3"), None)
    assert list(tmp_path.iterdir()) == []


def test_slots_are_for_root_alone(store: PlanStore) -> None:
    assert store.put(OLD, None).slot.stat().st_mode & 0o777 == 0o600


def test_failed_write_leaves_what_was_held(store: PlanStore) -> None:
    held = store.put(OLD, None)
    (held.slot.parent / "b.json").mkdir()
    with pytest.raises(DoorError):
        store.put(NEW, held)
    loaded = store.load()
    assert loaded.held == held
    assert len(loaded.refused) == 1


def test_plan_of_another_instance_is_not_loaded(store: PlanStore, tmp_path: Path) -> None:
    store.put(OLD, None)
    successor = PlanStore(tmp_path, plan_keys(), Identity("lab", "shop1", "ffffffff"))
    loaded = successor.load()
    assert loaded.held is None
    assert "this device is orillo://lab/shop1/ffffffff" in loaded.refused[0]


def test_first_plan_of_a_new_enrolment_takes_the_place_of_all_before(tmp_path: Path) -> None:
    """Or each reboot would complain of the plan of the enrolment before."""
    fill(PlanStore(tmp_path, plan_keys(), SHOP1), OLD, NEW)
    again = Identity(cluster=SHOP1.cluster, name=SHOP1.name, instance="0badcafe")
    store = PlanStore(tmp_path, plan_keys(), again)
    assert store.load().held is None
    held = store.put(document(5, identity=again), None)
    loaded = store.load()
    assert (loaded.held, loaded.refused) == (held, ())


def test_plan_of_a_foreign_key_is_not_loaded(store: PlanStore, tmp_path: Path) -> None:
    store.put(OLD, None)
    stranger = PlanStore(tmp_path, plan_keys(Ed25519PrivateKey.generate()), SHOP1)
    loaded = stranger.load()
    assert loaded.held is None
    assert "does not trust" in loaded.refused[0]


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_damaged_byte_of_one_slot_makes_the_other_be_used(tmp_path: Path, data: st.DataObject) -> None:
    store = PlanStore(tmp_path, plan_keys(), SHOP1)
    held = fill(store, OLD, NEW)
    position = data.draw(st.integers(0, len(NEW) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != NEW[position]))
    held.slot.write_bytes(NEW[:position] + bytes([value]) + NEW[position + 1 :])
    loaded = store.load()
    assert loaded.held is not None
    assert loaded.held.plan.generation == 3
    assert len(loaded.refused) == 1
    assert str(held.slot) in loaded.refused[0]


@given(st.integers(0, len(NEW) - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_slot_that_ends_early_makes_the_other_be_used(tmp_path: Path, length: int) -> None:
    store = PlanStore(tmp_path, plan_keys(), SHOP1)
    held = fill(store, OLD, NEW)
    held.slot.write_bytes(NEW[:length])
    loaded = store.load()
    assert loaded.held is not None
    assert loaded.held.plan.generation == 3


@given(st.binary(max_size=200))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_in_both_slots_is_no_plan_and_no_crash(tmp_path: Path, garbage: bytes) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(garbage)
    loaded = PlanStore(tmp_path, plan_keys(), SHOP1).load()
    assert loaded.held is None
    assert len(loaded.refused) == 2


def test_plan_that_needs_a_newer_agent_is_not_loaded_either(store: PlanStore, tmp_path: Path) -> None:
    """It was accepted by the agent before, which somebody has put back to an older one."""
    old = store.put(OLD, None)
    (tmp_path / "b.json").write_bytes(document(9, min_agent="99.0.0"))
    loaded = store.load()
    assert loaded.held == old
    assert "needs agent 99.0.0" in loaded.refused[0]
