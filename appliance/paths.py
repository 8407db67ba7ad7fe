# SPDX-License-Identifier: Apache-2.0
"""Where everything of the appliance stands.

One root moves it all, for tests and for several devices on a host.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The appliance's files below `root`."""

    root: Path = Path("/")

    @property
    def settings(self) -> Path:
        return self.root / "etc/orillo/orillo.toml"

    @property
    def cni(self) -> Path:
        """Where container runtimes look for conflists."""
        return self.root / "etc/cni/net.d"

    @property
    def resolv_conf(self) -> Path:
        """The host's own; read for its name servers, never written."""
        return Path("/etc/resolv.conf")

    @property
    def state(self) -> Path:
        """Survives a reboot: identity, plans, what was there before us."""
        return self.root / "var/lib/orillo"

    @property
    def identity(self) -> Path:
        return self.state / "identity"

    @property
    def plans(self) -> Path:
        return self.state / "plans"

    @property
    def last_seen(self) -> Path:
        """When the control endpoint was last reached: a floor for a clock that forgets."""
        return self.state / "last-seen"

    @property
    def guard(self) -> Path:
        """What may never leave in clear, for a start without a plan."""
        return self.state / "guard.json"

    @property
    def releases(self) -> Path:
        """Other releases of the program than the package's; `orillo-launch` knows this place too."""
        return self.state / "releases"

    @property
    def release_keys(self) -> tuple[Path, ...]:
        """Public keys of who may make releases: those that came with the package, and the owner's own."""
        return Path("/usr/lib/orillo/release-keys"), self.root / "etc/orillo/release-keys"

    @property
    def sysctl_before(self) -> Path:
        """The sysctls as they were before our first change, for `orillo purge`."""
        return self.state / "sysctl.json"

    @property
    def cni_leases(self) -> Path:
        return self.state / "cni"

    @property
    def cni_results(self) -> Path:
        """Where container runtimes keep what they asked of CNI (libcni's cache); read only."""
        return self.root / "var/lib/cni/results"

    @property
    def run(self) -> Path:
        """Gone after a reboot: sockets, rendered configuration, pid files."""
        return self.root / "run/orillo"

    @property
    def status_socket(self) -> Path:
        return self.run / "status.sock"

    @property
    def vici_socket(self) -> Path:
        return self.run / "charon.vici"

    @property
    def strongswan_conf(self) -> Path:
        return self.run / "strongswan.conf"

    @property
    def charon_pid(self) -> Path:
        """charon has /run/charon.pid compiled in; it sees our run directory as /run."""
        return self.run / "charon.pid"

    @property
    def unbound_conf(self) -> Path:
        return self.run / "unbound.conf"

    @property
    def unbound_control(self) -> Path:
        return self.run / "unbound.ctl"

    @property
    def unbound_pid(self) -> Path:
        return self.run / "unbound.pid"

    @property
    def host_state(self) -> Path:
        """On an image of ours: what the boot-config partition said."""
        return self.root / "var/lib/orillo-host"

    @property
    def host_run(self) -> Path:
        """On an image of ours: what was made of it for this boot."""
        return self.root / "run/orillo-host"

    @property
    def boot_config(self) -> Path:
        """On an image of ours: the partition that any laptop can write."""
        return self.root / "boot/config"

    @property
    def esp(self) -> Path:
        """On an image of ours: the EFI system partition, with kernels and boot entries."""
        return self.root / "efi"

    @property
    def networkd(self) -> Path:
        """systemd-networkd's files of this boot."""
        return self.root / "run/systemd/network"
