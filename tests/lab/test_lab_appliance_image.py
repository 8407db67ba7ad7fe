# SPDX-License-Identifier: Apache-2.0
"""The DaemonSets by the appliance's own container image: `./dev build --check`, for it takes a build."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.built import architecture
from orillo_build import stamp
from orillo_build.compiler import SOURCE
from orillo_pack.debian import make_package
from orillo_pack.image import APPLIANCE, make_image
from tests.bench.binary import compiled
from tests.lab import test_lab_daemon_sets as by_tree
from tests.lab.daemon_sets import Cluster, build, close
from tests.lab.image import Image, unpack
from tests.lab.namespaces import Namespaces
from tests.unit.kubernetes.manifests import containers, data_plane

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not os.environ.get("ORILLO_CLEAN_ROOTS"), reason="./dev build --check prepares what this needs"
    ),
]
_ARCHITECTURE = architecture()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("image")
    stamp.settle(SOURCE)
    words = ("0.1.0", _ARCHITECTURE, stamp.epoch())
    package = make_package(Path(compiled()).parent, out, *words, compression=("-Zgzip", "-z1"))
    return make_image(APPLIANCE, package, out, *words)


@pytest.fixture(scope="module")
def image(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return unpack(archive, tmp_path_factory.mktemp("unpacked") / "image")


@pytest.fixture(scope="module")
def cluster(image: Image) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            cluster = build(namespaces, image)
            yield cluster
            close(cluster)
        finally:
            namespaces.remove()


def test_image_is_what_the_manifests_name(archive: Path, image: Image) -> None:
    """By its name, and by the command that every container of theirs gives it."""
    index = json.loads((image.root.parent / "layout/index.json").read_text())
    (name,) = {each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]}
    wanted = {(each["image"], *each["command"]) for pod in data_plane().values() for each in containers(pod)}
    assert wanted == {(name, "orillo")}
    assert (image.root / "usr/bin/orillo").resolve().name == "orillo-launch"
    assert not list(image.root.glob("usr/bin/python3*")), "no Python is needed"
    assert archive.stat().st_size < 100e6


def test_it_keeps_the_promises_that_the_tree_keeps(cluster: Cluster) -> None:
    by_tree.test_an_edges_pod_and_a_pod_of_the_cluster_reach_each_other(cluster)
    by_tree.test_nothing_is_denied_to_them(cluster)
    by_tree.test_a_pod_that_starts_again_is_the_same_device(cluster)
