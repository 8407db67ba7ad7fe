# SPDX-License-Identifier: Apache-2.0
"""Where in the applied files a problem comes from that shows only once everything is put together.

The planner knows objects, not files, and names them in its sentences; so that is how they are found.
"""

import re
from collections.abc import Iterable

from cloud.source.manifest import Manifest, Spot

_WORD = re.compile(r"[a-z0-9](?:[a-z0-9./-]*[a-z0-9])?")

Placed = tuple[Spot, Manifest]


def with_places(problem: str, placed: Iterable[Placed]) -> str:
    """The sentence behind the places of the applied objects that it names; alone if it names none."""
    words, text = set(_WORD.findall(problem)), problem.lower()
    named = [(spot, manifest) for spot, manifest in placed if words & _names(manifest)]
    of_kind = [(spot, manifest) for spot, manifest in named if manifest.kind.lower() in text]
    places = " and ".join(str(spot) for spot, _ in of_kind or named)
    return f"{places}: {problem}" if places else problem


def _names(manifest: Manifest) -> set[str]:
    if manifest.namespace:
        return {f"{manifest.namespace}/{manifest.name}"}
    return {manifest.name}
