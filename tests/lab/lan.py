# SPDX-License-Identifier: Apache-2.0
"""A machine in a site's LAN that is no part of the product: it serves, and knows no way out of its LAN."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import attempt
from tests.lab.pods import PORT
from tests.lab.process import Process, environment
from tests.lab.topology import Address

_HERE = Path(__file__).parent
_PYTHON = (sys.executable, "-I", "-S")


@dataclass
class LanHost:
    """One machine, in its namespace."""

    name: str
    ns: str
    log: Path
    server: Process | None = None

    def serve(self) -> None:
        """Start its server and wait until it takes requests."""
        command = (*_PYTHON, str(_HERE / "pod_server.py"), self.name, str(PORT))
        self.server = Process(command, self.log, ns=self.ns)
        self.server.wait_for("ready", 10)

    def reach_out(self, target: Address, gateway: str) -> str:
        """Who answers there, with a route to it by `gateway` for as long as it takes."""
        route = ("route", "add", str(target), "via", gateway)
        attempt("ip", *route, ns=self.ns)
        try:
            words = (str(target.version), str(target), str(PORT), "2.0")
            result = attempt(*_PYTHON, str(_HERE / "pod_client.py"), *words, ns=self.ns, env=environment())
            return str(json.loads(result.out)["name"]) if result.ok else ""
        finally:
            attempt("ip", "route", "del", str(target), ns=self.ns)
