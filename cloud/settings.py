# SPDX-License-Identifier: Apache-2.0
"""The operator's settings, `/etc/orillo/cloud.toml`: read, checked, and written once by `init`."""

import json
import re
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec

from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.values import Prefix, convert
from cloud.files import write_atomic
from cloud.planner.fabric import Fabric, FabricError
from cloud.planner.roles import CONNECTOR_LABEL, EDGE_LABEL, RoleLabels

_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
#: A label's name, with its domain or without, and perhaps its value (Kubernetes' "Labels and Selectors").
_LABEL = re.compile(f"({_WORD}/)?{_WORD}(=({_WORD})?)?")


class SettingsError(ValueError):
    """Settings that can't be used; the text names the file, the setting and the remedy."""


class Pools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What prefixes and addresses are allotted from: IPv4, IPv6, or both.

    `everywhere` is for the services of several clusters, and may be the same in all of them.
    """

    pods: tuple[Prefix, ...] = (ip_network("10.200.0.0/16"), ip_network("fd00:200::/48"))
    overlay: tuple[Prefix, ...] = (ip_network("10.255.0.0/16"), ip_network("fd00:255::/64"))
    services: tuple[Prefix, ...] = (ip_network("10.96.0.0/16"), ip_network("fd00:96::/112"))
    everywhere: tuple[Prefix, ...] = (ip_network("10.254.0.0/16"), ip_network("fd00:254::/112"))


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`addresses` are where devices reach the operator, the first in every token.

    The listeners bind `listen`: an empty one is every address of the host. A Node is an edge or a connector
    by its labels: `edge_label` and `connector_label` are a label's name, or `name=value`.
    """

    cluster: str
    addresses: tuple[str, ...]
    control_port: int = 443
    enroll_port: int = 8443
    listen: str = ""
    domain: str = "cluster.local"
    edge_label: str = EDGE_LABEL
    connector_label: str = CONNECTOR_LABEL
    pools: Pools = Pools()

    @property
    def control_url(self) -> str:
        """Where enrolled devices go."""
        return _url(self.addresses[0], self.control_port)

    @property
    def enroll_url(self) -> str:
        """Where devices go with a token."""
        return _url(self.addresses[0], self.enroll_port)

    @property
    def fabric(self) -> Fabric:
        """What the planner has to know of them. Raises `FabricError`."""
        return Fabric(
            cluster=self.cluster,
            domain=self.domain,
            pod_pools=self.pools.pods,
            overlay_pools=self.pools.overlay,
            service_ranges=self.pools.services,
            roles=RoleLabels(self.edge_label, self.connector_label),
            global_ranges=self.pools.everywhere,
        )


def check(settings: Settings) -> None:
    """Raise `SettingsError` for what the types can't say."""
    labels = settings.domain.split(".")
    if not all(map(is_name, labels)):
        raise SettingsError(f"domain {settings.domain!r}: use a DNS name such as cluster.local")
    if not settings.addresses:
        raise SettingsError("no address: give at least one IP address or DNS name of the operator")
    for address in settings.addresses:
        if not _is_address(address):
            raise SettingsError(f"address {address!r}: use an IP address or a DNS name, with no port")
    for port in (settings.control_port, settings.enroll_port):
        if not 0 < port < 65536:
            raise SettingsError(f"port {port}: use one from 1 to 65535")
    if settings.control_port == settings.enroll_port:
        raise SettingsError(f"both listeners want port {settings.control_port}: give one another port")
    for label in (settings.edge_label, settings.connector_label):
        if not _LABEL.fullmatch(label):
            raise SettingsError(f"label {label!r}: write it as node-role.kubernetes.io/edge or as role=edge")
    if settings.edge_label == settings.connector_label:
        raise SettingsError(
            f"edge_label and connector_label are both {settings.edge_label}: change one of them"
        )
    if not settings.pools.pods or not settings.pools.overlay:
        raise SettingsError("pools: give at least one prefix for pods and one for the overlay")
    try:
        _ = settings.fabric  # making it is the check of the pools
    except FabricError as error:
        raise SettingsError(str(error)) from error


def read_settings(path: Path) -> Settings:
    """The settings in `path`; raises `SettingsError`."""
    try:
        settings = convert(tomllib.loads(path.read_text()), Settings)
        check(settings)
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no operator here: {path} is missing. Run: orillo-cloud init"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"can't read {path}: {error.strerror}. Run as root, or give --root DIR"
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    return settings


def write_settings(path: Path, settings: Settings) -> None:
    """Write the settings for people to edit. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _to_toml(settings).encode(), 0o644)


def _to_toml(settings: Settings) -> str:
    # JSON's strings, numbers and lists of them are TOML's too.
    values = {
        "cluster": settings.cluster,
        "addresses": settings.addresses,
        "control_port": settings.control_port,
        "enroll_port": settings.enroll_port,
        "listen": settings.listen,
        "domain": settings.domain,
        "edge_label": settings.edge_label,
        "connector_label": settings.connector_label,
    }
    pools = {name: [str(pool) for pool in getattr(settings.pools, name)] for name in Pools.__struct_fields__}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join([*lines, "", "[pools]", *(f"{n} = {json.dumps(v)}" for n, v in pools.items()), ""])


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return not text.replace(".", "").isdigit() and all(map(is_name, text.split(".")))
    return True


def _url(address: str, port: int) -> str:
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
