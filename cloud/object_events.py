# SPDX-License-Identifier: Apache-2.0
"""What happened to an object, as Events for `kubectl describe` and `kubectl events`: pure."""

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from cloud.conditions import good
from cloud.source.kinds import find_kind
from cloud.source.source import Key
from cloud.source.status import Condition, condition_of

_OPERATOR = "orillo-cloud"
#: Events of objects that are in no namespace live in this one.
_NAMESPACE = "default"


class Subject(NamedTuple):
    """The object that an Event is about. Without its uid `kubectl describe` does not show the Event."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @property
    def events(self) -> str:
        """The collection that its Events belong to."""
        return f"/api/v1/namespaces/{self.namespace or _NAMESPACE}/events"


def subject_of(key: Key) -> Subject:
    """The object with this key of ours."""
    kind, namespace, name = key
    return Subject(find_kind(kind).api_versions[0], kind, name, namespace)


def news(
    subject: Subject, before: tuple[Condition, ...] | None, after: tuple[Condition, ...], now: datetime
) -> Iterator[dict[str, Any]]:
    """One Event for each condition that became true or false since `before`.

    An object that nothing was said of before has no news, or each start of the operator would tell all again.
    """
    for condition in after:
        old = condition if before is None else condition_of(before, condition.type)
        if old and old.status != condition.status and condition.status != "Unknown":
            text = f"{condition.type} is {condition.status}: {condition.reason}"
            message = f"{text}: {condition.message}" if condition.message else text
            yield _event(subject, condition.status == good(condition.type), condition.reason, message, now)


def refusal(subject: Subject, reason: str, now: datetime) -> dict[str, Any]:
    """The Event of an object that can't be taken in as it is."""
    return _event(subject, False, "Refused", reason, now)


def _event(subject: Subject, good_news: bool, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """A core/v1 Event."""
    moment = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    about = {"apiVersion": subject.api_version, "kind": subject.kind, "name": subject.name}
    known = {"namespace": subject.namespace, "uid": subject.uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{subject.name}.{secrets.token_hex(8)}",
            "namespace": subject.namespace or _NAMESPACE,
        },
        "involvedObject": about | {field: text for field, text in known.items() if text},
        "type": "Normal" if good_news else "Warning",
        "reason": reason,
        "message": message[:1024],
        "source": {"component": _OPERATOR},
        "reportingComponent": _OPERATOR,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
