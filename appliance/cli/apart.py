# SPDX-License-Identifier: Apache-2.0
"""`orillo apart`: one job for the daemon, in a process that ends (`sync/hands.py`); not for people."""

import asyncio
import sys
from pathlib import Path

import msgspec

from appliance.cli.errors import Exit
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.token import parse_token
from appliance.netcore.plan.values import encode
from appliance.paths import Paths
from appliance.sync.errors import IdentityError
from appliance.sync.hands import HERE, Done, Order
from appliance.sync.identity import load_identity


def run() -> int:
    """Read the order, do it, answer."""
    first, _, rest = sys.stdin.buffer.read().partition(b"\n")
    order = msgspec.json.decode(first, type=Order)
    try:
        _do(order, rest)
        done = Done()
    except (PlanError, DoorError) as error:
        done = Done(str(error))
    sys.stdout.buffer.write(encode(done))
    return Exit.OK


def _do(order: Order, document: bytes) -> None:
    paths = Paths(Path(order.root))
    if order.job == "verify" and order.owner is not None:
        HERE.verify(document, order.plan_keys, order.owner)
    elif order.job == "enroll":
        asyncio.run(_enroll(paths, order))
    else:
        asyncio.run(_renew(paths))


async def _enroll(paths: Paths, order: Order) -> None:
    await HERE.enroll(paths, parse_token(order.token), order.name)


async def _renew(paths: Paths) -> None:
    from appliance.sync.control import ControlClient
    from appliance.sync.proxy import proxy_of

    device = load_identity(paths)
    if device is None:
        raise IdentityError("the device is not enrolled")
    client = ControlClient(device, proxy_of(paths))
    try:
        await HERE.renew(paths, device, client)
    finally:
        await client.close()
