# SPDX-License-Identifier: Apache-2.0
"""Where Debian's packages come from: the mirrors that this host's own apt is set to."""

from collections.abc import Iterable, Sequence

from orillo_image.tools import call

_SUITES = ("", "-updates", "-security")


def mirrors(suite: str, components: Sequence[str], epoch: int) -> list[str]:
    """Lines for sources.list; none, which is mmdebstrap's own choice, where apt knows no such suite."""
    asked = ("--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    return lines(call(["apt-get", "indextargets", *asked], epoch=epoch).splitlines(), suite, components)


def lines(targets: Iterable[str], suite: str, components: Sequence[str]) -> list[str]:
    """Of apt's targets (URI, release, component) those of the suite, with the components that we want."""
    found = dict.fromkeys(tuple(target.split()[:2]) for target in targets)
    releases = {suite + kind for kind in _SUITES}
    wanted = [f"deb {uri} {release} {' '.join(components)}" for uri, release in found if release in releases]
    return wanted if any(f" {suite} " in line for line in wanted) else []
