# SPDX-License-Identifier: Apache-2.0
"""The host as its configuration says: kept on the data partition, rendered below /run at each boot.

Nothing of it is in /etc, which is part of the read-only root, so an update never meets an old file.
"""

import os
from pathlib import Path

import msgspec

from appliance.host.config import HostConfig
from appliance.host.errors import HostConfigError
from appliance.host.network import network_files, wireless_files
from appliance.netcore.kernel.files import read, write_atomic
from appliance.netcore.plan.values import convert
from appliance.paths import Paths

_KEPT = "host.json"
_SETTINGS = ("log", "dns", "metrics")
#: One line of shadow(5): no password, so no login, until the owner sets one.
_LOCKED = "!*"


class Kept(msgspec.Struct, frozen=True):
    """What was applied last: the configuration, without its token, and the digest of what it came from."""

    digest: str
    config: HostConfig


def kept(paths: Paths) -> Kept | None:
    """What was applied before this boot. Raises `HostConfigError` if it is damaged."""
    data = read(paths.host_state / _KEPT)
    if data is None:
        return None
    try:
        return convert(msgspec.json.decode(data), Kept)
    except msgspec.MsgspecError as error:
        raise HostConfigError(f"{paths.host_state / _KEPT} is damaged: {error}") from error


def keep(paths: Paths, digest: str, config: HostConfig) -> None:
    """Remember a new configuration, for this boot and all later ones. Raises `DoorError`."""
    quiet = msgspec.structs.replace(config, token="")
    write_atomic(paths.host_state / _KEPT, msgspec.json.encode(Kept(digest, quiet), enc_hook=str), 0o600)
    settings = {name: getattr(config, name) for name in _SETTINGS if getattr(config, name)}
    if config.proxy.url:
        settings["proxy"] = {"url": config.proxy.url}
    # A proxy's address may hold a password.
    write_atomic(paths.host_state / "orillo.toml", toml(settings).encode(), 0o600)


def render(paths: Paths, config: HostConfig) -> None:
    """All files of this boot. Raises `DoorError`."""
    for name, text in network_files(config).items():
        write_atomic(paths.networkd / name, text.encode())
    for link, text in wireless_files(config).items():
        write_atomic(paths.host_run / f"wpa_supplicant-{link}.conf", text.encode(), 0o600)
    write_atomic(paths.host_run / "shadow", shadow(config).encode(), 0o600)
    write_atomic(paths.host_run / "environment", environment(config).encode(), 0o600)


def shadow(config: HostConfig) -> str:
    """shadow(5) with root's password, if one is set."""
    return f"root:{config.console.password_hash or _LOCKED}:1:0:99999:7:::\nnobody:*:1:0:99999:7:::\n"


def environment(config: HostConfig) -> str:
    """For our services (systemd.exec(5), EnvironmentFile=)."""
    return f"LANG={config.locale}\n"


def toml(sections: dict[str, dict[str, object]]) -> str:
    """Sections of plain values as TOML: the part of the file that the agent reads itself."""
    lines: list[str] = []
    for section, content in sections.items():
        lines.append(f"[{section}]")
        # JSON's strings, numbers, truth values and flat arrays are TOML's.
        lines += [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in content.items()]
    return "\n".join(lines) + "\n"


def wipe_token(file: Path, token: str) -> None:
    """Overwrite the token where it stands, byte for byte, so that no copy stays in a freed block.

    Raises `HostConfigError`.
    """
    try:
        with file.open("r+b", buffering=0) as handle:
            data = handle.read()
            if token.encode() not in data:
                raise HostConfigError(f"the token in {file} is written in another way: wipe it by hand")
            blank = data.replace(token.encode(), b" " * len(token.encode()))
            handle.seek(0)
            handle.write(blank)
            os.fsync(handle.fileno())
    except OSError as error:
        raise HostConfigError(
            f"the token in {file} could not be wiped: {error.strerror}; wipe it by hand"
        ) from error
