# SPDX-License-Identifier: Apache-2.0
"""Enrolment over the status socket, as the terminal does it, against an endpoint on loopback."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.membership import Membership, Surroundings
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.identity import Identity
from appliance.paths import Paths
from appliance.status.model import Snapshot, State
from appliance.status.server import Offered, StatusServer
from appliance.status.watching import ask
from appliance.sync.identity import load_identity
from tests.fakes.control_endpoint import FakeControlEndpoint


def report(identity: Identity) -> Report:
    """What an idle device says."""
    return Report(identity=identity, agent="0", at=datetime.now(UTC), generation=0, digest="", ipsec="")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Membership]:
    """The part of an unenrolled daemon that takes tokens, at its socket."""
    paths = Paths(tmp_path / "device")
    member = Membership(paths, Surroundings(lambda: None, report, lambda: False))
    server = StatusServer(
        paths.status_socket,
        lambda: Snapshot(at=datetime.now(UTC), state=State.UNENROLLED),
        Offered({"enroll": member.enroll, "keys": member.keys}, looks={"plan": member.plans}),
    )
    await server.start()
    yield member
    await server.close()


async def test_a_token_makes_a_member(
    endpoint: FakeControlEndpoint, daemon: Membership, tmp_path: Path
) -> None:
    paths = Paths(tmp_path / "device")
    token = endpoint.token("shop1")
    shown = await ask(paths.status_socket, "keys")
    answer = await ask(paths.status_socket, "enroll", token=token)
    stored = load_identity(paths)
    assert stored is not None
    assert answer["identity"]["instance"] == stored.identity.instance
    assert daemon.device == stored
    with pytest.raises(DoorError, match="used before") as refused:
        await ask(paths.status_socket, "enroll", token=token)
    assert token not in str(refused.value)
    assert load_identity(paths) == stored
    plans = await ask(paths.status_socket, "plan")
    assert (plans["plan"], plans["before"], plans["slot"]) == (None, None, None)
    # What was shown to compare is the key of this identity; the next one would be for another.
    after = await ask(paths.status_socket, "keys")
    assert after["current"] == shown["next"] != after["next"]


@pytest.mark.parametrize("fields", [{}, {"token": "hidden-secret"}, {"token": 7}])
async def test_what_is_no_token_is_refused_without_repeating_it(
    daemon: Membership, tmp_path: Path, fields: dict[str, Any]
) -> None:
    with pytest.raises(DoorError, match="no enrolment token") as refused:
        await ask(Paths(tmp_path / "device").status_socket, "enroll", **fields)
    assert "hidden-secret" not in str(refused.value)
    assert daemon.device is None
    with pytest.raises(DoorError, match="not enrolled"):
        await ask(Paths(tmp_path / "device").status_socket, "plan")
