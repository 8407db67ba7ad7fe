# SPDX-License-Identifier: Apache-2.0
"""What a container runtime does with a conflist: call its plug-ins one after the other.

https://www.cni.dev/docs/spec/ version 1.0.0, sections 3 and 4.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.command import LabError, attempt
from tests.lab.process import environment

PLUGINS = Path("/usr/lib/cni")


@dataclass(frozen=True)
class Attachment:
    """One container on one network, and the namespace of the host that runs it."""

    conflist: Path
    host_ns: str
    container: str
    ns: str

    def add(self, wanted: tuple[str, ...] = ()) -> list[str]:
        """Attach it; returns its addresses. `wanted` asks the IPAM for these, which must be free."""
        network = json.loads(self.conflist.read_text())
        result: dict[str, Any] | None = None
        for plugin in network["plugins"]:
            result = self._call("ADD", network, plugin, result, wanted)
        if result is None:
            raise LabError(f"{self.conflist} has no plug-ins")
        self._keep(result)
        return [ip["address"].partition("/")[0] for ip in result["ips"]]

    def delete(self) -> None:
        """Detach it, also after its namespace went away; what is gone already is fine."""
        if not self.conflist.exists():
            return
        network = json.loads(self.conflist.read_text())
        before = json.loads(self._kept.read_text())["result"] if self._kept.exists() else None
        for plugin in reversed(network["plugins"]):
            self._call("DEL", network, plugin, before, ())
        self._kept.unlink(missing_ok=True)

    @property
    def _kept(self) -> Path:
        """The result of ADD; a runtime has to remember it for DEL."""
        return self.conflist.parents[3] / f"var/lib/cni/results/orillo-{self.container}-eth0"

    def _keep(self, result: dict[str, Any]) -> None:
        """As libcni keeps it, with the name of the pod as a runtime of Kubernetes gives it."""
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        name = self.container.partition("-")[2]
        args = [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", name]]
        document = {"kind": "cniCacheV1", "containerId": self.container, "cniArgs": args, "result": result}
        self._kept.write_text(json.dumps(document))

    def _call(
        self,
        command: str,
        network: dict[str, Any],
        plugin: dict[str, Any],
        before: dict[str, Any] | None,
        wanted: tuple[str, ...],
    ) -> dict[str, Any] | None:
        config = dict(plugin, name=network["name"], cniVersion=network["cniVersion"])
        config.pop("capabilities", None)
        if before is not None:
            config["prevResult"] = before
        if wanted:
            config["args"] = {"cni": {"ips": list(wanted)}}
        path = Path(f"/run/netns/{self.ns}")
        variables = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": self.container,
            "CNI_NETNS": str(path) if path.exists() else "",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(PLUGINS),
        }
        program = str(PLUGINS / plugin["type"])
        done = attempt(program, ns=self.host_ns, feed=json.dumps(config), env=environment() | variables)
        if not done.ok:
            raise LabError(f"CNI {plugin['type']} {command} of {self.container}: {done.text}")
        return json.loads(done.out) if done.out.strip() else None
