# SPDX-License-Identifier: Apache-2.0
"""The operator's container image, made and run: `./dev build --check`, since it takes a Debian."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from orillo_build import stamp
from orillo_build.compiler import SOURCE
from orillo_pack import operator, papers
from orillo_pack.image import OPERATOR, make_image
from tests.lab.command import Result, attempt

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not os.environ.get("ORILLO_CLEAN_ROOTS"), reason="./dev build --check prepares what this needs"
    ),
]
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("image")
    stamp.settle(SOURCE)
    papers.write(out / "papers", operator.components(), name="orillo-cloud", version="1", commit="", epoch=0)
    package = operator.make_package(out, "1", _ARCHITECTURE, stamp.epoch(), out / "papers", ("-Zgzip", "-z1"))
    return make_image(OPERATOR, package, out, "1", _ARCHITECTURE, stamp.epoch())


@pytest.fixture(scope="module")
def bundle(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run time makes of it: its one layer unpacked, and its configuration as runc wants it."""
    place = tmp_path_factory.mktemp("bundle")
    with tarfile.open(image) as tar:
        tar.extractall(place / "layout", filter="data")
    blobs = place / "layout/blobs"
    index = json.loads((place / "layout/index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    layer = blobs / manifest["layers"][0]["digest"].replace(":", "/")
    (place / "rootfs").mkdir()
    unpacked = attempt("tar", "-xzf", str(layer), "-C", str(place / "rootfs"), timeout=120)
    assert unpacked.ok, unpacked.text
    config = json.loads((blobs / manifest["config"]["digest"].replace(":", "/")).read_text())["config"]
    assert attempt("runc", "spec", "--bundle", str(place)).ok
    spec = json.loads((place / "config.json").read_text())
    uid, gid = map(int, config["User"].split(":"))
    spec["process"] |= {"terminal": False, "user": {"uid": uid, "gid": gid}, "env": config["Env"]}
    spec["process"]["capabilities"] = {}
    spec["root"] = {"path": "rootfs", "readonly": True}
    spec["mounts"].append(
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}
    )
    (place / "config.json").write_text(json.dumps(spec))
    return place


def call(bundle: Path, *words: str) -> Result:
    """Run it as nobody, on a read-only root, with no capability."""
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"]["args"] = list(words)
    (bundle / "config.json").write_text(json.dumps(spec))
    name = f"orillo-{os.getpid()}"
    state = str(bundle / "state")
    return attempt("runc", "--root", state, "run", "--bundle", str(bundle), name, timeout=60)


def test_image_runs_as_nobody_on_a_read_only_root(bundle: Path) -> None:
    said = call(bundle, "/usr/bin/orillo-cloud", "version", "-o", "json")
    assert said.ok, said.text
    assert json.loads(said.out)["version"]
    made = "orillo-cloud --root /tmp/x init --cluster lab --address 127.0.0.1 && id -u && touch /written"
    inside = call(bundle, "sh", "-c", made)
    assert "65532" in inside.out, inside.text
    assert "Read-only file system" in inside.err or "Permission denied" in inside.err


def test_image_is_small_and_has_its_papers(image: Path, bundle: Path) -> None:
    assert image.stat().st_size < 120e6
    docs = bundle / "rootfs/usr/share/doc/orillo-cloud"
    assert json.loads((docs / "sbom.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    assert (docs / "third-party-licences.txt").stat().st_size > 10_000
