# SPDX-License-Identifier: Apache-2.0
"""How the exchanges with other clusters stand, by the cluster's name: what is lost with a restart."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Talk:
    """When the other cluster last spoke and was believed, and why not since then, if it was not.

    `refused`: it was reached, and what it said is not believed.
    """

    heard: datetime | None = None
    fault: str = ""
    refused: bool = False


@dataclass
class Talks:
    """All of them."""

    _known: dict[str, Talk] = field(default_factory=dict)

    def of(self, cluster: str) -> Talk:
        """How it stands with this one."""
        return self._known.get(cluster, Talk())

    def heard(self, cluster: str, now: datetime) -> None:
        """It spoke, and was believed."""
        self._known[cluster] = Talk(now)

    def failed(self, cluster: str, reason: str) -> None:
        """It was not reached."""
        self._known[cluster] = Talk(self.of(cluster).heard, reason)

    def refused(self, cluster: str, reason: str) -> None:
        """It spoke, and was not believed."""
        self._known[cluster] = Talk(self.of(cluster).heard, reason, refused=True)
