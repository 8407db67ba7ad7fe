# SPDX-License-Identifier: Apache-2.0
"""`orillo.toml` on the boot-config partition: all that a card needs to become a gateway. Pure.

Its sections [log], [dns] and [metrics] are those of `appliance.settings`; the rest is about the host.
"""

from ipaddress import ip_address
from typing import Annotated, Any

import msgspec
import tomli

from appliance.host.errors import HostConfigError
from appliance.netcore.plan.values import Address
from appliance.settings import Proxy

#: RFC 1123, one label or several; link names as the kernel takes them; a crypt(5) hash; a password of WPA.
HostName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")]
LinkName = Annotated[str, msgspec.Meta(pattern=r"^([^/\s:]{1,15}|([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})$")]
Interface = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
PasswordHash = Annotated[str, msgspec.Meta(pattern=r"^(\$[^:\s]+)?$")]
#: As it is said, or the key made of it (IEEE 802.11, J.4), which Imager writes.
Passphrase = Annotated[str, msgspec.Meta(pattern=r"^([\x20-\x7e]{8,63}|[0-9a-fA-F]{64})?$")]
Country = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2})?$")]
Locale = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]+(\.[A-Za-z0-9-]+)?$")]
FileName = Annotated[str, msgspec.Meta(pattern=r"^([^/\s][^/]*)?$")]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Uplink(_Section, frozen=True):
    """A way out. Without `address` it is DHCP and IPv6 router advertisements.

    `link` is a name, or a MAC address for who does not know it. `vlan` is an 802.1Q tag on it; `ssid` makes
    it Wi-Fi, whose channels and power are those of `country` (ISO 3166). Earlier uplinks are preferred.
    """

    link: LinkName
    address: tuple[Interface, ...] = ()
    gateway: tuple[Address, ...] = ()
    dns: tuple[Address, ...] = ()
    vlan: Annotated[int, msgspec.Meta(ge=1, le=4094)] | None = None
    ssid: Annotated[str, msgspec.Meta(max_length=32)] = ""
    passphrase: Passphrase = ""
    country: Country = ""
    mtu: Annotated[int, msgspec.Meta(ge=1280, le=9216)] | None = None

    @property
    def name(self) -> str:
        """The link that carries the addresses."""
        return self.link if self.vlan is None else f"{self.link}.{self.vlan}"


class Console(_Section, frozen=True):
    """Who may change something at the console: root, with this password (crypt(5)); nobody, without one."""

    password_hash: PasswordHash = ""


class HostConfig(_Section, frozen=True):
    """The whole file. `plan` is a signed site plan beside it, `plan_key` the key that must have signed it."""

    token: str = ""
    name: HostName | None = None
    locale: Locale = "en_US.UTF-8"
    plan: FileName = ""
    plan_key: str = ""
    uplink: tuple[Uplink, ...] = ()
    console: Console = Console()
    log: dict[str, Any] = {}
    dns: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    proxy: Proxy = Proxy()


def parse(text: str, where: str) -> HostConfig:
    """Read the file's text. Raises `HostConfigError`."""
    try:
        return convert(tomli.loads(text), where)
    except tomli.TOMLDecodeError as error:
        raise HostConfigError(f"{where} is not TOML: {error}") from error


def convert(document: dict[str, Any], where: str) -> HostConfig:
    """A decoded file. Raises `HostConfigError`, which names the key but shows no value."""
    try:
        config = msgspec.convert(document, HostConfig, dec_hook=_address)
    except (msgspec.ValidationError, ValueError) as error:
        what, _, at = str(error).partition(" - at `$.")
        raise HostConfigError(f"{where}: {at.rstrip('`') or 'the file'}: {what}") from error
    _check(config, where)
    # One that was used is blanks now: at the next start there is nothing to join with.
    return msgspec.structs.replace(config, token=config.token.strip())


def _check(config: HostConfig, where: str) -> None:
    if bool(config.plan) != bool(config.plan_key):
        raise HostConfigError(f"{where}: plan and plan_key go together: a plan is believed by its key only")
    names = [uplink.name for uplink in config.uplink]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise HostConfigError(f"{where}: {twice[0]} is an uplink twice: give each link one [[uplink]]")
    for uplink in config.uplink:
        if uplink.gateway and not uplink.address:
            raise HostConfigError(
                f"{where}: uplink {uplink.name} has a gateway and no address: add one, or use DHCP"
            )
        if ":" in uplink.link and (uplink.vlan is not None or uplink.ssid):
            raise HostConfigError(
                f"{where}: uplink {uplink.name} is tagged or Wi-Fi: name its link, not its MAC"
            )
        if uplink.passphrase and not uplink.ssid:
            raise HostConfigError(f"{where}: uplink {uplink.name} has a passphrase and no ssid")


def _address(kind: type, value: Any) -> Any:
    return ip_address(value)
