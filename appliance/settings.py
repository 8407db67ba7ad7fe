# SPDX-License-Identifier: Apache-2.0
"""`orillo.toml`: what the owner of a device may set on it. Everything has a default; the file may be missing.

[log]
level = "info"             # debug, info, warning, error
format = "text"            # text, or json: one object a line

[dns]
resolvers = ["192.0.2.53"] # asked for all that the plan does not answer, instead of the host's own

[kernel]
sysctls = "/proc/sys"      # where the kernel's settings are written; a container's own are read-only

[metrics]
address = "127.0.0.1"      # where Prometheus finds /metrics; without it only the status socket has them
port = 9410

[update]
confirm_within = 120       # seconds that a new release has to bring back what worked before it

[proxy]
url = "http://192.0.2.80:3128"  # the web proxy that the control endpoint and updates are reached through
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli

from appliance.netcore.plan.values import Address


class SettingsError(Exception):
    """The settings can't be used; the text names file and key."""


class Log(msgspec.Struct, frozen=True):
    """How much is said, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Dns(msgspec.Struct, frozen=True):
    """Name servers to use in place of those that the host uses; none: the host's."""

    resolvers: tuple[Address, ...] = ()


class Kernel(msgspec.Struct, frozen=True):
    """Where the kernel's settings can be written."""

    sysctls: str = "/proc/sys"


class Metrics(msgspec.Struct, frozen=True):
    """Where metrics are served over HTTP; without an address, nowhere."""

    address: Address | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 9410


class Update(msgspec.Struct, frozen=True):
    """How long a new release has to bring back what worked before it, in seconds with a link up."""

    confirm_within: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 120


#: TLS runs inside the tunnel, so the way to the proxy itself is plain.
ProxyUrl = Annotated[str, msgspec.Meta(pattern=r"^(http://[^\s\"']+)?$")]


class Proxy(msgspec.Struct, frozen=True):
    """The web proxy to go by; name and password may stand in its address. Tunnels go their own way."""

    url: ProxyUrl = ""


class Settings(msgspec.Struct, frozen=True):
    """The whole file."""

    log: Log = Log()
    dns: Dns = Dns()
    kernel: Kernel = Kernel()
    metrics: Metrics = Metrics()
    update: Update = Update()
    proxy: Proxy = Proxy()


def load_settings(path: Path) -> Settings:
    """Read the file, or the defaults if there is none. Raises `SettingsError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}") from error
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    _refuse_unknown(path, document)
    try:
        return msgspec.convert(document, Settings, dec_hook=_address)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise SettingsError(f"{path}: {where.rstrip('`') or 'the file'}: {what}") from error


def _refuse_unknown(path: Path, document: dict[str, Any]) -> None:
    """By hand, so that the error names what would have been right."""
    sections = {
        "log": Log,
        "dns": Dns,
        "kernel": Kernel,
        "metrics": Metrics,
        "update": Update,
        "proxy": Proxy,
    }
    known = {name: section.__struct_fields__ for name, section in sections.items()}
    for section, content in document.items():
        if section not in known:
            raise SettingsError(f"{path}: unknown section [{section}]; known are: {', '.join(known)}")
        for key in content if isinstance(content, dict) else ():
            if key not in known[section]:
                raise SettingsError(
                    f"{path}: unknown key {section}.{key}; known in [{section}]: {', '.join(known[section])}"
                )


def _address(kind: type, value: Any) -> Any:
    return ip_address(value)
