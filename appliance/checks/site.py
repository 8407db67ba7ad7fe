# SPDX-License-Identifier: Apache-2.0
"""What the site has of it: pods, services, names."""

import asyncio
import json
from ipaddress import ip_address
from pathlib import Path

from appliance.checks.box import Box
from appliance.netcore.desired.cni import CONFLIST
from appliance.netcore.desired.services import choose, local_backends
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.files import read
from appliance.netcore.kernel.links import running
from appliance.netcore.plan.model import Plan, Service
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.probe import names
from appliance.netcore.probe.ports import Knock, knock

_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_PATIENCE = 2.0
_NAMES = 3
_MOST_BACKENDS = 64


async def cni(box: Box) -> list[Finding]:
    """The pods' network: our file, whether it is the one that counts, its plug-ins, and free addresses."""
    plan = box.plan
    if plan is None or plan.cni is None:
        return []
    path = box.paths.cni / CONFLIST
    data = read(path)
    if data is None:
        return [Finding("cni-missing", f"{path} is not there", {"path": str(path)})]
    found = []
    # The runtime takes the first file by name (https://github.com/containernetworking/cni, libcni).
    files = sorted(p.name for p in path.parent.iterdir() if p.suffix in (".conf", ".conflist", ".json"))
    if files and files[0] != CONFLIST:
        evidence = f"{path.parent} has {', '.join(files[:3])}"
        found.append(Finding("cni-shadowed", evidence, {"file": files[0]}))
    for plugin in _plugins_of(data):
        if not any((directory / plugin).exists() for directory in _PLUGINS):
            where = " nor ".join(map(str, _PLUGINS))
            found.append(Finding("cni-plugin-missing", f"neither in {where}", {"plugin": plugin}))
    return found + await _bridge(box, plan.cni.bridge) + _addresses(box, plan)


def _plugins_of(data: bytes) -> list[str]:
    try:
        document = json.loads(data)
        plugins = [plugin["type"] for plugin in document["plugins"]]
        return [*plugins, *(p["ipam"]["type"] for p in document["plugins"] if "ipam" in p)]
    except (ValueError, KeyError, TypeError):
        return []


async def _bridge(box: Box, bridge: str) -> list[Finding]:
    """Made by the plug-in with the first pod; from then on it has to be up."""
    link = (await box.netlink.links()).get(bridge)
    if link is None or link.up:
        return []
    return [Finding("pod-bridge-down", f"{bridge} is administratively down", {"link": bridge})]


def _addresses(box: Box, plan: Plan) -> list[Finding]:
    """host-local keeps a file for each address that it gave away."""
    if not box.paths.cni_leases.is_dir():
        return []
    taken = {path.name for path in box.paths.cni_leases.rglob("*") if path.is_file()}
    found = []
    for prefix in plan.prefixes:
        # Network, gateway and broadcast address are no pod's.
        room = prefix.num_addresses - 3
        used = sum(1 for name in taken if _is_in(name, prefix.version, plan))
        if prefix.version == 4 and used >= room:
            found.append(
                Finding("pod-addresses-used-up", f"{used} of {room} are taken", {"prefix": str(prefix)})
            )
    return found


def _is_in(name: str, version: int, plan: Plan) -> bool:
    try:
        address = ip_address(name.replace("_", ":"))
    except ValueError:
        return False
    return address.version == version and any(address in prefix for prefix in plan.prefixes)


async def services(box: Box) -> list[Finding]:
    """The backends on this device, asked; and services that nobody is left for."""
    plan = box.plan
    if plan is None:
        return []
    local = sorted(local_backends(plan), key=str)[:_MOST_BACKENDS]
    answers = await asyncio.gather(*(knock(str(host), port, _PATIENCE) for host, port in local))
    dead = {one for one, answer in zip(local, answers, strict=True) if answer is not Knock.OPEN}
    found = []
    for name, service in sorted(plan.services.items()):
        found += _dead_backends(name, service, dead)
        found += _unanswered(name, service, frozenset(dead))
    return found


def _dead_backends(name: str, service: Service, dead: set[tuple[Address, int]]) -> list[Finding]:
    return [
        Finding(
            "service-backend-dead",
            f"no TCP connection to {backend.address} port {backend.port}",
            {"service": name, "backend": f"{backend.address}:{backend.port}"},
        )
        for port in service.ports.values()
        for backend in port.backends.values()
        if (backend.address, backend.port) in dead
    ]


def _unanswered(name: str, service: Service, dead: frozenset[tuple[Address, int]]) -> list[Finding]:
    versions = {address.version for address in service.addresses}
    for port_name, port in sorted(service.ports.items()):
        if not any(choose(port, strict=service.strict, version=v, dead=dead) for v in versions):
            evidence = f"no live backend for {port_name} of {len(port.backends)}"
            return [Finding("service-unanswered", evidence, {"service": name})]
    return []


async def name_cache(box: Box) -> list[Finding]:
    """Does the cache answer, and as the plan says?"""
    plan = box.plan
    if plan is None or running(box.paths.unbound_pid, "unbound") is None:
        return []
    listening = plan.dns.bind or plan.overlay
    if not listening:
        return []
    server = listening[0]
    wanted = _wanted(plan)
    asked = wanted or [(f"probe.{plan.dns.domain}", frozenset[Address]())]
    answers = await asyncio.gather(*(names.resolve(server, name, "A", _PATIENCE) for name, _ in asked))
    if all(answer is None for answer in answers):
        about = {"address": str(server)}
        return [Finding("dns-cache-silent", f"no answer from {server} within {_PATIENCE} s", about)]
    return [
        Finding(
            "dns-records-wrong",
            f"{server} says {_text(answer.addresses)}, not {_text(right)}",
            {"name": name},
        )
        for (name, right), answer in zip(asked, answers, strict=True)
        if answer is not None and right and answer.addresses != right
    ][:1]


def _wanted(plan: Plan) -> list[tuple[str, frozenset[Address]]]:
    """A few names of services, and their IPv4 addresses."""
    if plan.place.role is Role.CLOUD_NODE:
        return []
    found: list[tuple[str, frozenset[Address]]] = []
    for key, service in sorted(plan.services.items())[:_NAMES]:
        namespace, _, name = key.partition("/")
        addresses: frozenset[Address] = frozenset(one for one in service.addresses if one.version == 4)
        if addresses:
            found.append((f"{name}.{namespace}.svc.{plan.dns.domain}", addresses))
    return found


def _text(addresses: frozenset[Address]) -> str:
    return ", ".join(sorted(map(str, addresses))) or "no such name"
