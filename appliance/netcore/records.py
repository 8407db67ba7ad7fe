# SPDX-License-Identifier: Apache-2.0
"""What the name cache is told, as values.

Pure. They stand below the door and the pure code that compiles them, because neither may import the other.
"""

from dataclasses import dataclass
from typing import NamedTuple

from appliance.netcore.plan.values import Address

#: The line of unbound.conf between settings and data.
_SEAM = "# Data: told to a running unbound over its control socket, and here for its next start.\n"


class Record(NamedTuple):
    """An address record. `name` is absolute and in small letters; `ttl` is in seconds."""

    name: str
    ttl: int
    address: Address

    @property
    def text(self) -> str:
        """In the form of a zone file, as unbound reads and lists it."""
        kind = "A" if self.address.version == 4 else "AAAA"
        return f"{self.name} {self.ttl} IN {kind} {self.address}"


@dataclass(frozen=True)
class UnboundConf:
    """unbound.conf in two parts: a change of `settings` takes a reload, one of `data` does not."""

    settings: str
    data: str

    @property
    def text(self) -> str:
        """The whole file."""
        return f"{self.settings}{_SEAM}{self.data}"

    @classmethod
    def parse(cls, text: str) -> "UnboundConf":
        """The two parts of a file as `text` gives it; of a foreign one, everything is settings."""
        settings, _, data = text.partition(_SEAM)
        return cls(settings, data)


def absolute(name: str) -> str:
    """A name as unbound lists it: small letters, one dot at the end."""
    return f"{name.rstrip('.').lower()}."
