# SPDX-License-Identifier: Apache-2.0
"""Where the operator's manifests are: in its own store, or in a Kubernetes API. One interface for both."""

from typing import Protocol

from cloud.source.manifest import Manifest

#: Kind, namespace and name.
Key = tuple[str, str, str]


class NotReadyError(Exception):
    """A source that has not yet seen all that there is: no plan may be made of a part of it."""


class Source(Protocol):
    """Whatever keeps manifests. `Objects` of the store is one, `KubernetesSource` the other."""

    def all(self) -> dict[Key, Manifest]:
        """Every object, by key and in its order. Raises `NotReadyError`."""

    def get(self, key: Key) -> Manifest | None:
        """One object, or None if there is none. Raises `NotReadyError`."""
