# SPDX-License-Identifier: Apache-2.0
"""The clusters that this operator is enrolled at: for each, a directory with its key, and where to go."""

from pathlib import Path
from typing import Self

import msgspec

from cloud.files import make_private_directory, write_atomic


class Link(msgspec.Struct, frozen=True):
    """One of them: its name, its control endpoint, its CA (PEM), and the file of our key and certificate."""

    cluster: str
    control_url: str
    ca: str
    identity: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `keep` has written. Raises `OSError` and `msgspec.MsgspecError`."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


def keep(folder: Path, cluster: str, control_url: str, ca: str, identity: bytes) -> Link:
    """Write a link, in the place of one before. Raises `OSError`."""
    place = folder / cluster
    make_private_directory(place)
    file = place / "identity.pem"
    write_atomic(file, identity, 0o600)
    link = Link(cluster, control_url, ca, str(file))
    write_atomic(place / "link.json", msgspec.json.encode(link), 0o600)
    return link


def links_in(folder: Path) -> list[Link]:
    """All of them. Raises as `Link.read`."""
    return [Link.read(path) for path in sorted(folder.glob("*/link.json"))]
