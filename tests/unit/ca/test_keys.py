# SPDX-License-Identifier: Apache-2.0
"""The key that signs plans."""

import stat
from pathlib import Path

import pytest

from appliance.netcore.plan.signature import verify
from cloud.ca.keys import KeyFileError, PlanKey, new_ec_key, write_key
from tests.unit.plan.plans import SHOP1, edge_plan


def test_devices_believe_what_it_signs(tmp_path: Path) -> None:
    path = tmp_path / "plan.key"
    trusted = PlanKey.create(path).trusted
    signed = PlanKey.load(path).sign(edge_plan())
    assert verify(signed, trusted, SHOP1) == edge_plan()


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "plan.key"
    key = PlanKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert repr(key) == "PlanKey()"


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.key"
    write_key(path, new_ec_key())
    with pytest.raises(KeyFileError, match="no Ed25519 key"):
        PlanKey.load(path)
