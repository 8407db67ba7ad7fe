# SPDX-License-Identifier: Apache-2.0
"""What happened to a device, as Events for `kubectl describe device` and `kubectl events`: pure."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cloud.source.resources import DEVICES
from cloud.source.status import Condition, DeviceStatus, condition_of

#: Events of objects that are in no namespace live in this one.
_NAMESPACE = "default"
EVENTS = f"/api/v1/namespaces/{_NAMESPACE}/events"
_OPERATOR = "orillo-cloud"


def events(
    name: str, before: DeviceStatus | None, after: DeviceStatus, now: datetime
) -> Iterator[dict[str, Any]]:
    """One Event for each condition that became true or false since `before`.

    A device that nothing was said of before has no news, or every start of the operator would tell all again.
    """
    for condition in after.conditions:
        old = condition_of(before.conditions, condition.type) if before else condition
        if old and old.status != condition.status and condition.status != "Unknown":
            yield _event(name, condition, now)


def _event(name: str, condition: Condition, now: datetime) -> dict[str, Any]:
    """A core/v1 Event."""
    good = "False" if condition.type == "Degraded" else "True"
    moment = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    text = f"{condition.type} is {condition.status}: {condition.reason}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{secrets.token_hex(8)}", "namespace": _NAMESPACE},
        "involvedObject": {"apiVersion": DEVICES.api_version, "kind": DEVICES.kind.name, "name": name},
        "type": "Normal" if condition.status == good else "Warning",
        "reason": condition.reason,
        "message": f"{text}: {condition.message}" if condition.message else text,
        "source": {"component": _OPERATOR},
        "reportingComponent": _OPERATOR,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
