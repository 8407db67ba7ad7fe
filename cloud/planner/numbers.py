# SPDX-License-Identifier: Apache-2.0
"""Numbers for names: the same for everybody who asks for the same names, and mostly the same for others."""

from collections.abc import Iterable
from hashlib import sha256


def numbered(names: Iterable[str], count: int) -> dict[str, int]:
    """A number below `count` for each name, no two equal; the names that there is no room for get none.

    Each name has its place by its hash; of two with the same place, the later one in the alphabet moves on.
    """
    taken: dict[int, str] = {}
    for name in sorted(set(names))[:count]:
        place = int.from_bytes(sha256(name.encode()).digest()[:8]) % count
        while place in taken:
            place = (place + 1) % count
        taken[place] = name
    return {name: place for place, name in taken.items()}
