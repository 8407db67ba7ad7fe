# SPDX-License-Identifier: Apache-2.0
"""Where everything of the operator stands. One root moves it all, for tests and for several on a host."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CloudPaths:
    """The operator's files below `root`."""

    root: Path = Path("/")

    @property
    def settings(self) -> Path:
        return self.root / "etc/orillo/cloud.toml"

    @property
    def state(self) -> Path:
        """Survives a reboot: keys and store."""
        return self.root / "var/lib/orillo-cloud"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def links(self) -> Path:
        """The clusters that this operator is enrolled at."""
        return self.state / "clusters"

    @property
    def database(self) -> Path:
        return self.state / "store.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one process that may write the store."""
        return self.state / "lock"

    @property
    def run(self) -> Path:
        return self.root / "run/orillo-cloud"

    @property
    def admin_socket(self) -> Path:
        """Where `orillo-cloud serve` takes the commands of the same program's other verbs."""
        return self.run / "admin.sock"
