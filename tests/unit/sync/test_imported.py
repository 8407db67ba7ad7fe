# SPDX-License-Identifier: Apache-2.0
"""A plan that was carried to a device: believed by its key alone, and only while there is no identity."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.codec import PlanError
from appliance.paths import Paths
from appliance.sync.imported import import_plan, load_imported
from appliance.sync.store import PlanStore
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import document, enrolled, plan_keys

(KEY,) = plan_keys().values()


def held(paths: Paths) -> int | None:
    """The generation that the daemon would take up at its start."""
    imported = load_imported(paths)
    assert imported is not None
    found = PlanStore(paths.plans, imported.plan_keys, imported.identity).load().held
    return found.plan.generation if found else None


def test_it_is_in_force_from_then_on(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert load_imported(paths) is None
    assert import_plan(paths, document(3), KEY).plan.identity == SHOP1
    assert held(paths) == 3
    assert import_plan(paths, document(4), f" {KEY}\n").plan.generation == 4
    assert held(paths) == 4


def test_a_plan_of_another_key_changes_nothing(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    import_plan(paths, document(3), KEY)
    (stranger,) = plan_keys(Ed25519PrivateKey.generate()).values()
    for data, key in ((document(4), stranger), (document(4).replace(b"shop1", b"shop9"), KEY), (b"{", KEY)):
        with pytest.raises(PlanError):
            import_plan(paths, data, key)
    assert held(paths) == 3


@pytest.mark.parametrize("key", ["", "%%%", "c2hvcnQ="])
def test_what_is_no_key_is_told(tmp_path: Path, key: str) -> None:
    with pytest.raises(PlanError, match="Ed25519"):
        import_plan(Paths(tmp_path), document(3), key)


def test_an_enrolled_device_takes_none(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    enrolled(paths)
    with pytest.raises(DoorError, match="enrolled as shop1"):
        import_plan(paths, document(3), KEY)


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    import_plan(paths, document(3), KEY)
    (paths.state / "imported.json").write_bytes(b"{]")
    assert load_imported(paths) is None
