# SPDX-License-Identifier: Apache-2.0
"""A pod: a namespace attached by the CNI plug-ins, with a server in it that answers who it is."""

import json
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from tests.lab.cni import Attachment
from tests.lab.command import LabError, Result, attempt
from tests.lab.device import Device
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process, environment
from tests.lab.topology import Address

PORT = 8080
_HERE = Path(__file__).parent
_PYTHON = (sys.executable, "-I", "-S")  # nothing but the standard library, and a quick start


@dataclass
class Pod:
    """One pod on one device. `addresses` are there once it is attached, IPv4 first."""

    name: str
    device: Device
    namespaces: Namespaces
    resolver: Address
    search: str
    addresses: tuple[Address, ...] = ()
    server: Process | None = None

    @property
    def ns(self) -> str:
        return self.namespaces.name(self._label)

    @property
    def v4(self) -> Address:
        return self.addresses[0]

    @property
    def v6(self) -> Address:
        return self.addresses[-1]

    def start(self) -> None:
        """Make its sandbox, attach it and start its server.

        One that was attached before asks for the addresses that it had.
        """
        self.namespaces.add(self._label, (self.resolver,), self.search)
        found = self._attachment().add(tuple(str(address) for address in self.addresses))
        addresses = sorted((ip_address(text) for text in found), key=lambda address: address.version)
        if [address.version for address in addresses] != [4, 6]:
            raise LabError(f"pod {self.name} got {found} instead of one address of each family")
        self.addresses = tuple(addresses)
        self.serve()

    def lose_power(self) -> None:
        """Its sandbox is gone, without a word to anyone."""
        self.namespaces.drop(self._label)

    def clear_away(self) -> None:
        """Have the plug-ins take its attachment back, also after its sandbox is gone as after a reboot."""
        self._attachment().delete()

    def remove(self) -> None:
        """Detach it and remove its sandbox, as a runtime does with a pod that is drained."""
        self.die()
        self.clear_away()
        self.namespaces.drop(self._label)

    def serve(self) -> None:
        """Start its server and wait until it takes requests."""
        command = (*_PYTHON, str(_HERE / "pod_server.py"), self.name, str(PORT))
        self.server = Process(command, self.device.logs / f"pod-{self.name}.log", ns=self.ns)
        self.server.wait_for("ready", 10)

    def die(self) -> None:
        """The server crashes; the sandbox stays."""
        if self.server:
            self.server.kill()

    def ping(self, target: Address, count: int = 3, patience: float = 1.0) -> bool:
        """Whether any of `count` echo requests is answered; `patience` is in seconds for each."""
        pace = ("-c", str(count), "-i", "0.2", "-W", str(patience))
        return attempt("ping", "-n", "-q", *pace, str(target), ns=self.ns).ok

    def fetch(self, host: str | Address, port: int = PORT, family: int = 0, patience: float = 2.0) -> Result:
        """One HTTP request; a name is resolved as in any pod."""
        if not isinstance(host, str):
            family = host.version
        words = (str(family or 4), str(host), str(port), str(patience))
        return attempt(*_PYTHON, str(_HERE / "pod_client.py"), *words, ns=self.ns, env=environment())

    def who_answers(
        self, host: str | Address, port: int = PORT, family: int = 0, patience: float = 2.0
    ) -> str:
        """The name of the pod that answers there; empty if nobody does."""
        return self._field("name", self.fetch(host, port, family, patience))

    def seen_as(self, host: Address) -> str:
        """The address that a pod sees this one under."""
        return self._field("client", self.fetch(host))

    def dig(self, name: str, kind: str = "A") -> list[str]:
        """What the device's cache answers, sorted; empty for no such name."""
        words = (f"@{self.resolver}", name, kind, "+short", "+time=2", "+tries=2")
        return sorted(attempt("dig", *words, ns=self.ns).out.split())

    @property
    def _label(self) -> str:
        return f"pod-{self.name}"

    def _attachment(self) -> Attachment:
        # The same id across restarts, so that what ADD left behind is found by the DEL that follows.
        return Attachment(
            self.device.conflist, self.device.ns, f"{self.namespaces.prefix}-{self.name}", self.ns
        )

    @staticmethod
    def _field(name: str, result: Result) -> str:
        return str(json.loads(result.out)[name]) if result.ok else ""


def version_of(address: Address) -> str:
    """`v4` or `v6`, as one says it."""
    return "v4" if isinstance(address, IPv4Address) else "v6"
