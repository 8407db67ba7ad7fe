# SPDX-License-Identifier: Apache-2.0
"""What CNI's plug-ins and the container runtime leave on disk of each pod, read only.

host-local keeps a file for each address, named by it, with the container's id and its interface
(https://www.cni.dev/plugins/current/ipam/host-local/). libcni, which the runtimes use, keeps a document for
each attachment, with the arguments that the runtime gave: for Kubernetes also the pod's name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text
from appliance.netcore.plan.values import Address

#: No directory of a device has more than its pods; past this many files something else is wrong.
_MOST = 4096


@dataclass(frozen=True)
class Lease:
    """An address, and whose it is."""

    address: Address
    container: str
    interface: str


def leases(directory: Path) -> tuple[Lease, ...]:
    """The leases of one network. Raises `DoorError`."""
    return tuple(
        Lease(address, words[0], words[1] if len(words) > 1 else "")
        for path in _files(directory)
        if (address := _address(path.name)) is not None
        if (words := (read_text(path) or "").split())
    )


def pod_names(directory: Path, network: str) -> dict[str, str]:
    """`NAMESPACE/NAME` by container id, as far as the runtime left word of it. Raises `DoorError`."""
    found: dict[str, str] = {}
    for path in _files(directory):
        if path.name.startswith(f"{network}-"):
            container, name = _named(read_text(path) or "")
            if container and name:
                found[container] = name
    return found


def _files(directory: Path) -> Iterator[Path]:
    try:
        entries = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DoorError(f"can't look into {directory}: {error.strerror}") from error
    yield from entries[:_MOST]


def _address(text: str) -> Address | None:
    try:
        # host-local writes IPv6 as it is; on file systems that take no colon, with underscores.
        return ip_address(text.replace("_", ":"))
    except ValueError:
        return None


def _named(text: str) -> tuple[str, str]:
    try:
        document: Any = json.loads(text)
        words = {str(key): str(value) for key, value in document.get("cniArgs") or ()}
        container = str(document["containerId"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
    name = words.get("K8S_POD_NAME", "")
    return container, f"{words.get('K8S_POD_NAMESPACE', '')}/{name}".strip("/")
