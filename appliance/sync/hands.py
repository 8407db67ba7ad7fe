# SPDX-License-Identifier: Apache-2.0
"""Who does the work that needs `cryptography`: this process, or one that ends when it is done.

The library stays in memory once it is imported; a device verifies a plan a few times a day, and renews its
certificate a few times a year. So the daemon has it done apart; a command, which ends anyway, does it here.
"""

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import call, run
from appliance.netcore.plan.codec import PlanError, read_plan
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import encode
from appliance.paths import Paths
from appliance.sync.errors import IdentityError
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.renew import Renewer, renew

log = logging.getLogger(__name__)

#: An enrolment waits for the network several times; seconds.
_PATIENCE = 90.0


@dataclass(frozen=True)
class Hands:
    """`verify` raises `PlanError`, the others `DoorError`; all are as in the modules of their names."""

    verify: Callable[[bytes, Mapping[str, str], Identity], Plan]
    renew: Callable[[Paths, DeviceIdentity, Renewer], Awaitable[DeviceIdentity]]
    enroll: Callable[[Paths, Token, str], Awaitable[DeviceIdentity]]


class Order(msgspec.Struct, frozen=True):
    """The first line of what `orillo apart` reads; the document to verify follows it."""

    job: str
    root: str = ""
    plan_keys: dict[str, str] = {}
    owner: Identity | None = None
    token: str = ""
    name: str = ""


class Done(msgspec.Struct, frozen=True):
    """What it answers: nothing if all is well, else why not."""

    error: str = ""


def verify_here(data: bytes, plan_keys: Mapping[str, str], owner: Identity) -> Plan:
    """As `netcore.plan.signature.verify`, imported when used."""
    from appliance.netcore.plan.signature import verify

    return verify(data, plan_keys, owner)


async def enroll_here(paths: Paths, token: Token, name: str = "") -> DeviceIdentity:
    """As `sync.enroll.enroll`, imported when used."""
    from appliance.sync.enroll import enroll

    return await enroll(paths, token, name)


def verify_apart(data: bytes, plan_keys: Mapping[str, str], owner: Identity) -> Plan:
    """The same, in a process of its own; here, if there can be none: a site must not wait for memory."""
    order = Order("verify", plan_keys=dict(plan_keys), owner=owner)
    try:
        done = _read(call(*own_command(), "apart", input=encode(order) + b"\n" + data))
    except DoorError as error:
        log.warning("plan: verified in the daemon itself: %s", error)
        return verify_here(data, plan_keys, owner)
    if done.error:
        raise PlanError(done.error)
    return read_plan(data)


async def renew_apart(paths: Paths, device: DeviceIdentity, _client: Renewer) -> DeviceIdentity:
    """The same, over a connection of its own."""
    renewed = await _identity(paths, Order("renew", str(paths.root)))
    if renewed.identity != device.identity:
        raise IdentityError("the device was enrolled anew meanwhile: the identity before is not renewed")
    return renewed


async def enroll_apart(paths: Paths, token: Token, name: str = "") -> DeviceIdentity:
    """The same; the token goes over a pipe, not into the list of processes."""
    return await _identity(paths, Order("enroll", str(paths.root), token=token.to_text(), name=name))


async def _identity(paths: Paths, order: Order) -> DeviceIdentity:
    """What is on disk after the job was done."""
    done = _read(await run(*own_command(), "apart", input=encode(order) + b"\n", timeout=_PATIENCE))
    device = None if done.error else load_identity(paths)
    if device is None:
        raise IdentityError(done.error or "there is no identity")
    return device


def _read(answer: bytes) -> Done:
    try:
        return msgspec.json.decode(answer, type=Done)
    except msgspec.MsgspecError as error:
        raise DoorError(f"`orillo apart` said something else than its answer: {error}") from error


def own_command() -> tuple[str, ...]:
    """The first words of another `orillo` like this one."""
    # What the compiler leaves in each module; there is nothing of the kind in a source tree.
    if globals().get("__compiled__") is not None:
        return ("/proc/self/exe",)
    return (sys.executable, "-m", "appliance.cli.main")


HERE = Hands(verify_here, renew, enroll_here)
APART = Hands(verify_apart, renew_apart, enroll_apart)
