# SPDX-License-Identifier: Apache-2.0
"""The operator's package and container image, made and run: `./dev build --check`, for it takes a Debian."""

import json
import os
import shutil
from pathlib import Path

import pytest

from appliance.built import architecture
from orillo_build import stamp
from orillo_build.compiler import SOURCE
from orillo_pack import operator, papers
from orillo_pack.image import OPERATOR, make_image
from tests.lab.booted import Booted, make_system
from tests.lab.command import Result, attempt
from tests.lab.image import unpack
from tests.lab.namespaces import Namespaces
from tests.lab.wait import until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not os.environ.get("ORILLO_CLEAN_ROOTS"), reason="./dev build --check prepares what this needs"
    ),
]
_ARCHITECTURE = architecture()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package")
    stamp.settle(SOURCE)
    papers.write(out / "papers", operator.components(), name="orillo-cloud", version="1", commit="", epoch=0)
    return operator.make_package(out, "1", _ARCHITECTURE, stamp.epoch(), out / "papers", ("-Zgzip", "-z1"))


@pytest.fixture(scope="module")
def image(package: Path) -> Path:
    return make_image(OPERATOR, package, package.parent, "1", _ARCHITECTURE, stamp.epoch())


@pytest.fixture(scope="module")
def bundle(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run time makes of it: its one layer unpacked, and its configuration as runc wants it."""
    place = tmp_path_factory.mktemp("bundle")
    config = unpack(image, place).config
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


def test_unit_runs_as_its_own_user(package: Path, namespaces: Namespaces) -> None:
    """On a booted Debian: installed, initialised by root, served by nobody else than its user, purged."""
    ns = namespaces.add("cloud")
    cache = Path(os.environ["ORILLO_CLEAN_ROOTS"])
    system = Booted(make_system(cache, ("adduser", "python3")), namespaces.workdir / "system", ns)
    try:
        shutil.copy(package, system.root / "root")
        system.boot()
        system.must("dpkg", "-i", f"/root/{package.name}", timeout=180)
        assert not system.active("orillo-cloud"), "it waits for its settings"
        system.must("orillo-cloud", "init", "--cluster", "lab", "--address", "127.0.0.1")
        system.must("systemctl", "start", "orillo-cloud")
        until(lambda: ":443" in system.call("ss", "-Htln").out, "it serves", 30, 0.5)
        pid = system.main_pid("orillo-cloud")
        assert system.must("ps", "-o", "user:20=", "-p", pid).strip() == "orillo-cloud"
        assert "orillo1." in system.must("orillo-cloud", "token", "create", "--name", "shop1")
        last = (
            system.must("systemd-analyze", "security", "--no-pager", "orillo-cloud").strip().splitlines()[-1]
        )
        assert float(last.partition(": ")[2].split()[0]) <= 1.4, last
        system.must("dpkg", "--purge", "orillo-cloud", timeout=120)
        for place in ("var/lib/orillo-cloud", "usr/lib/orillo-cloud", "etc/orillo/cloud.toml"):
            assert not (system.root / place).exists(), place
    finally:
        system.remove()
