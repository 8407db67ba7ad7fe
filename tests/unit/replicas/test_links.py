# SPDX-License-Identifier: Apache-2.0
"""What one replica joins, all have."""

from pathlib import Path
from typing import Any

from cloud.links import keep, links_in
from cloud.replicas.links import SharedLinks
from tests.fakes.kube_api import FakeKubeApi, KubeObjects

_PATH = "/api/v1/namespaces/orillo-system/secrets/orillo-cloud"


def identity_in(folder: Path) -> str:
    """Our key and certificate at the east."""
    (link,) = links_in(folder)
    return Path(link.identity).read_text()


async def test_joined_at_one_and_renewed_at_the_other(tmp_path: Path) -> None:
    server = KubeObjects()
    server.put(_PATH, {"metadata": {"name": "orillo-cloud"}, "data": {"ca.key": "eA=="}}, "ADDED")
    api: Any = FakeKubeApi(server)
    folders = [tmp_path / "a", tmp_path / "b"]
    one, other = (SharedLinks(api, "orillo-system", folder) for folder in folders)
    await one.settle()
    assert server.objects[_PATH]["data"] == {"ca.key": "eA=="}
    keep(folders[0], "east", "https://east.example", "ca", b"joined")
    await one.settle()
    await other.settle()
    assert identity_in(folders[1]) == "joined"
    keep(folders[1], "east", "https://east.example", "ca", b"renewed")
    await other.settle()
    await one.settle()
    assert identity_in(folders[0]) == "renewed"
    assert server.objects[_PATH]["data"].keys() == {"ca.key", "link.east"}


async def test_a_replica_with_an_empty_disk_has_them(tmp_path: Path) -> None:
    server = KubeObjects()
    server.put(_PATH, {"metadata": {"name": "orillo-cloud"}}, "ADDED")
    api: Any = FakeKubeApi(server)
    keep(tmp_path / "a", "east", "https://east.example", "ca", b"joined")
    await SharedLinks(api, "orillo-system", tmp_path / "a").settle()
    await SharedLinks(api, "orillo-system", tmp_path / "new").settle()
    assert identity_in(tmp_path / "new") == "joined"
