# SPDX-License-Identifier: Apache-2.0
"""Where a host's configuration comes from: our own file, Raspberry Pi Imager's preseed, cloud-init's NoCloud.

The first that is there counts. All lie on the boot-config partition, which any laptop can write; but Imager
writes to the first partition of a card, whatever it is: that of the boot loader.
"""

import hashlib
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomli

from appliance.host.config import HostConfig, convert, parse
from appliance.host.errors import HostConfigError
from appliance.netcore.kernel.files import read

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = "orillo.toml"
IMAGER = "custom.toml"
#: What Imager writes for most systems: a script, of which only the settings are read and nothing is run.
FIRST_RUN = "firstrun.sh"
NOCLOUD = "user-data"
#: A token alone, for who has nothing else to say.
TOKEN = "token.txt"  # noqa: S105 -- a file name


@dataclass(frozen=True)
class Found:
    """A configuration and the file it came from. `digest` tells whether it is new."""

    config: HostConfig
    file: Path
    digest: str
    token_file: Path


def takes_yaml(*directories: Path) -> bool:
    """Whether `find` may have to read YAML, which the daemon's own program does not know."""
    return any((directory / NOCLOUD).exists() for directory in directories)


def find(*directories: Path) -> Found | None:
    """The configuration in the first of these directories that has one. Raises `DoorError`."""
    readers: tuple[tuple[str, Callable[[str, str], HostConfig]], ...] = (
        (OWN, parse),
        (IMAGER, from_imager),
        (FIRST_RUN, from_first_run),
        (NOCLOUD, from_nocloud),
        (TOKEN, _token_alone),
    )
    for directory in directories:
        for name, reader in readers:
            data = read(directory / name)
            if data is not None:
                config = reader(_text(data, directory / name), str(directory / name))
                # Without the token, so that wiping it makes nothing new.
                found = Found(config, directory / name, digest_of(config), directory / name)
                return found if config.token else _with_token(found, directory / TOKEN)
    return None


def _with_token(found: Found, file: Path) -> Found:
    """What Imager writes has no place for a token: one in a file beside it counts."""
    data = read(file)
    if data is None:
        return found
    token = _text(data, file).strip()
    return replace(found, config=msgspec.structs.replace(found.config, token=token), token_file=file)


def _text(data: bytes, where: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HostConfigError(f"{where} is not UTF-8: save it as plain text") from error


def digest_of(config: HostConfig) -> str:
    """Of what the file says, but for the token."""
    said = msgspec.structs.replace(config, token="")
    return hashlib.sha256(msgspec.json.encode(said, enc_hook=str)).hexdigest()


def from_imager(text: str, where: str) -> HostConfig:
    """Raspberry Pi Imager's `custom.toml`: name, Wi-Fi and locale; the token is added as `orillo.token`."""
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise HostConfigError(f"{where} is not TOML: {error}") from error
    ours: dict[str, Any] = {}
    system, wlan, extra = (_table(document, name) for name in ("system", "wlan", "orillo"))
    if system.get("hostname"):
        ours["name"] = system["hostname"]
    if wlan.get("ssid"):
        ours["uplink"] = [{"link": "eth0"}, _wireless(wlan)]
    password = _table(document, "user")
    if password.get("password_encrypted") and password.get("password"):
        ours["console"] = {"password_hash": password["password"]}
    return convert(ours | extra, where)


def from_first_run(text: str, where: str) -> HostConfig:
    """Imager's `firstrun.sh`: the name, the Wi-Fi and the password that it would set."""
    ours: dict[str, Any] = {}
    for line in text.splitlines():
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        match [word.rpartition("/")[2] if at == 0 else word for at, word in enumerate(words)]:
            case ["imager_custom", "set_hostname", name]:
                ours["name"] = name
            case ["imager_custom", "set_wlan", *_options, ssid, secret, country]:
                wlan = {"link": "wlan0", "ssid": ssid, "passphrase": secret, "country": country}
                ours["uplink"] = [{"link": "eth0"}, wlan]
            case ["userconf", _user, password]:
                ours["console"] = {"password_hash": password}
    return convert(ours, where)


def from_nocloud(text: str, where: str) -> HostConfig:
    """cloud-init's `user-data`: `hostname`, and the key `orillo` with all that `orillo.toml` may hold."""
    # Imported when used: YAML is read once in the life of a card, and never by the daemon.
    import yaml

    if not text.startswith("#cloud-config"):
        raise HostConfigError(f"{where} starts with no `#cloud-config`: scripts are not run here")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise HostConfigError(f"{where} is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise HostConfigError(f"{where} holds no keys")
    named = document.get("hostname") or document.get("fqdn")
    name = {"name": named} if named else {}
    return convert(name | _table(document, "orillo"), where)


def _token_alone(text: str, where: str) -> HostConfig:
    return convert({"token": text.strip()}, where)


def _wireless(wlan: dict[str, Any]) -> dict[str, Any]:
    found = {"link": "wlan0", "ssid": wlan["ssid"], "passphrase": wlan.get("password", "")}
    return found | ({"country": wlan["country"]} if wlan.get("country") else {})


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name, {})
    return found if isinstance(found, dict) else {}
