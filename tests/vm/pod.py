# SPDX-License-Identifier: Apache-2.0
"""A pod in a machine: a namespace there, attached by the machine's CNI plug-ins."""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from tests.lab.topology import Address
from tests.vm.system import System

CONFLIST = "/etc/cni/net.d/10-orillo.conflist"
_PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True)
class VmPod:
    """One pod of a machine, with an address of each family, IPv4 first."""

    machine: System
    addresses: tuple[Address, ...]
    name: str = "pod"

    def ping(self, target: Address, count: int = 1, patience: int = 3) -> bool:
        """Whether any of `count` echo requests is answered; `patience` is in seconds for each."""
        words = ("ping", "-n", "-q", "-c", str(count), "-i", "0.3", "-W", str(patience), str(target))
        return self.machine.call("ip", "netns", "exec", self.name, *words).ok


def start(machine: System, name: str = "pod") -> VmPod:
    """Make its sandbox and call the plug-ins of the conflist in their order, as a runtime does."""
    machine.script(f"ip netns add {name}; ip -n {name} link set lo up")
    network = json.loads(machine.run("cat", CONFLIST))
    result: dict[str, Any] | None = None
    for plugin in network["plugins"]:
        config = dict(plugin, name=network["name"], cniVersion=network["cniVersion"])
        config.pop("capabilities", None)
        if result is not None:
            config["prevResult"] = result
        said = machine.run("env", *_variables(name), f"{_PLUGINS}/{plugin['type']}", feed=json.dumps(config))
        result = json.loads(said) if said.strip() else result
    assert result is not None
    found = [ip_address(ip["address"].partition("/")[0]) for ip in result["ips"]]
    return VmPod(machine, tuple(sorted(found, key=lambda address: address.version)), name)


def _variables(name: str) -> tuple[str, ...]:
    return (
        "CNI_COMMAND=ADD",
        f"CNI_CONTAINERID={name}",
        f"CNI_NETNS=/run/netns/{name}",
        "CNI_IFNAME=eth0",
        f"CNI_PATH={_PLUGINS}",
    )
