# SPDX-License-Identifier: Apache-2.0
"""What the tests of the lab share: empty ground, and a small topology with every kind of site."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.namespaces import Namespaces
from tests.lab.sites import INTERNET, Site, site
from tests.lab.topology import Host, HostRole, NatKind, Topology


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    """Ground of this test's own. Unix sockets need a short path, so not below pytest's directory."""
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        ground = Namespaces(Path(directory))
        try:
            yield ground
        finally:
            ground.remove()


def small_topology(*kinds: NatKind) -> tuple[Topology, tuple[Site, ...]]:
    """An internet with a site of each of these kinds, called `site0` and so on."""
    sites = tuple(site(f"site{number}", number + 1, kind, ()) for number, kind in enumerate(kinds))
    return Topology(
        hosts=(Host(INTERNET, HostRole.ROUTER), *(host for place in sites for host in place.hosts)),
        links=tuple(link for place in sites for link in place.links),
        nats=tuple(nat for place in sites for nat in place.nats),
    ), sites
