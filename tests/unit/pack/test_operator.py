# SPDX-License-Identifier: Apache-2.0
"""The operator's package, image and wheel: what is in them starts, with nothing of this environment."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from orillo_pack import operator
from orillo_pack.image import OPERATOR, bootstrap, layout

PYTHON = Path("/usr/bin/python3")
UNIT = Path(__file__).parents[3] / "packaging/debian-cloud/orillo-cloud.service"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tree")
    operator.fill(place)
    return place


def test_operator_starts_from_its_tree_alone(tree: Path, tmp_path: Path) -> None:
    """The command of the package, with its home moved; isolated, so that nothing else is found."""
    command = tree / "usr/bin/orillo-cloud"
    moved = tmp_path / "orillo-cloud"
    moved.write_text(command.read_text().replace(f'"/{operator.HOME}"', f'"{tree / operator.HOME}"'))
    call = [str(PYTHON), "-IS", str(moved), "--root", str(tmp_path)]
    said = subprocess.run([*call, "version", "-o", "json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["compiled"] is False
    made = subprocess.run(
        [*call, "init", "--cluster", "lab", "--address", "127.0.0.1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    served = subprocess.run([*call, "serve", "--help"], capture_output=True, text=True, check=False)
    assert served.returncode == 0, served.stderr


def test_operator_has_no_terminal_and_no_netlink() -> None:
    names = {one.metadata["Name"].lower() for one in operator.distributions()}
    assert {"aiohttp", "uvloop", "httpx", "cryptography"} <= names
    assert not {"textual", "pyroute2", "vici", "nuitka", "pytest"} & names


def test_unit_runs_as_its_own_user_and_is_tight() -> None:
    text = UNIT.read_text()
    assert "User=orillo-cloud" in text
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in text


def test_image_is_what_its_digests_say() -> None:
    data = layout(OPERATOR, b"a root file system", "1.2.3", "amd64", 7)
    assert data == layout(OPERATOR, b"a root file system", "1.2.3", "amd64", 7)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    entry = json.loads(files["index.json"])["manifests"][0]
    manifest = json.loads(files[blob(entry["digest"])])
    config = json.loads(files[blob(manifest["config"]["digest"])])
    assert config["config"]["User"] == "65532:65532"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(b'a root file system').hexdigest()}"]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]


def test_recipe_takes_debian_and_our_package_only() -> None:
    words = bootstrap(OPERATOR, Path("/x/orillo-cloud_1_amd64.deb"), Path("/x/root.tar"), "amd64")
    assert words[0] == "mmdebstrap"
    assert "bookworm" in words
    assert any("dpkg -i /tmp/orillo-cloud_1_amd64.deb" in word for word in words)


def blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
