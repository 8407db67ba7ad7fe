# SPDX-License-Identifier: Apache-2.0
"""Membership: identity, certificate and plan on disk, and what became of the newest plan and release."""

import ssl
from datetime import timedelta

from appliance.checks.box import Box
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.files import read_text
from appliance.sync.identity import DeviceIdentity

_SLACK = timedelta(minutes=2)


async def identity(box: Box) -> list[Finding]:
    """Is there one, is it whole, and is it of this time?"""
    if box.held.identity_fault:
        return [Finding("identity-damaged", box.held.identity_fault)]
    device = box.held.device
    if device is None:
        return [Finding("not-enrolled", f"no identity below {box.paths.state}")]
    try:
        load_chain(device)
    except (OSError, ssl.SSLError) as error:
        return [Finding("identity-damaged", f"certificate and key in {device.key.parent}: {_words(error)}")]
    return _dates(device, box)


def load_chain(device: DeviceIdentity) -> ssl.SSLContext:
    """A context that proves this device and believes its CA alone; raises `OSError` or `ssl.SSLError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cafile=device.ca)
    context.load_cert_chain(device.certificate, device.key)
    return context


def _words(error: OSError | ssl.SSLError) -> str:
    return str(getattr(error, "reason", "") or error.strerror or error).lower().replace("_", " ")


def _dates(device: DeviceIdentity, box: Box) -> list[Finding]:
    ends = f"it ended at {device.not_after:%F %T} UTC; here it is {box.now:%F %T}"
    if box.now > device.not_after:
        return [Finding("certificate-expired", ends)]
    life = device.not_after - device.not_before
    # Renewal is tried from two thirds of the life on; a sixth later it has failed for long.
    if box.now > device.not_after - life / 6 and life > _SLACK:
        left = device.not_after - box.now
        return [Finding("certificate-expiring", f"it ends at {device.not_after:%F %T} UTC, in {left}")]
    return []


async def plan(box: Box) -> list[Finding]:
    """The slots on disk, and whether the newest plan is in use."""
    found = [Finding("plan-slot-refused", reason) for reason in box.held.refused]
    if box.held.device is not None and box.plan is None:
        found.append(Finding("plan-missing", f"neither slot below {box.paths.plans} holds a good plan"))
    snapshot = box.agent.snapshot
    if snapshot is not None and snapshot.control.refused:
        found.append(Finding("plan-refused", snapshot.control.refused))
    return found


async def release(box: Box) -> list[Finding]:
    """Whether another release of the program was tried and undone (`update/releases.py`)."""
    release, _, reason = (read_text(box.paths.releases / "undone") or "").strip().partition(" ")
    if not release:
        return []
    return [Finding("release-undone", f"{release} was undone: {reason}", {"release": release})]
