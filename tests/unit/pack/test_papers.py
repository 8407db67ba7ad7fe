# SPDX-License-Identifier: Apache-2.0
"""SBOM and licences, of a report as the compiler's."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from orillo_build.compiler import BuildError
from orillo_pack.contents import Component, components, pins
from orillo_pack.papers import BILL, LICENCES, bill_of_materials, write

SCHEMAS = Path(__file__).with_name("schemas")
PYTHON = Path("/usr/bin/python3")
#: In Debian's Python, from its package python3-fastjsonschema: the lock file is of what we build with.
_VALIDATE = """
import json, pathlib, sys, fastjsonschema
place = pathlib.Path(sys.argv[1])
read = lambda uri: json.loads((place / uri.rpartition("/")[2]).read_text())
check = fastjsonschema.compile(read("bom-1.5.schema.json"), handlers={"http": read, "": read})
check(json.load(sys.stdin))
"""


def report(place: Path, *modules: str) -> Path:
    path = place / "orillo.report.json"
    path.write_text(json.dumps({"modules": {name: {"kind": "bytecode"} for name in modules}}))
    return path


@pytest.fixture
def found(tmp_path: Path) -> tuple[Component, ...]:
    modules = (
        "appliance.run",
        "httpx",
        "httpx._client",
        "asyncio",
        "_cffi_backend",
        "cryptography.x509",
        "rich",
    )
    return components([report(tmp_path, *modules)], tmp_path)


def test_components_are_those_of_the_report_with_their_versions(found: tuple[Component, ...]) -> None:
    by_name = {one.name: one for one in found}
    assert by_name.keys() == {"cffi", "cryptography", "httpx", "nuitka", "openssl", "python", "rich"}
    assert by_name["httpx"].purl == f"pkg:pypi/httpx@{version('httpx')}"
    assert by_name["httpx"].licence == "BSD-3-Clause"
    assert by_name["rich"].licence.startswith("MIT")
    assert all(one.texts for one in found if one.kind == "pypi")


def test_bill_is_as_its_schema_says(found: tuple[Component, ...]) -> None:
    library = Component(
        "libssl3", "3.0.17-1~deb12u2", "deb", "see its text", sha256="0" * 64, note="libssl.so.3"
    )
    bill = bill_of_materials((*found, library), name="orillo", version="0.1.0", commit="abc", epoch=0)
    assert bill["metadata"]["component"]["version"] == "0.1.0"
    probe = subprocess.run([PYTHON, "-c", "import fastjsonschema"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("needs the Debian package python3-fastjsonschema")
    for document, fits in ((bill, True), (bill | {"components": [{"name": "x"}]}, False)):
        done = subprocess.run(
            [PYTHON, "-c", _VALIDATE, str(SCHEMAS)],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is fits, done.stderr[-600:]


def test_papers_are_the_same_for_the_same_input(found: tuple[Component, ...], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, found, name="orillo", version="1", commit="c", epoch=7)
    for paper in (BILL, LICENCES):
        assert (tmp_path / "a" / paper).read_bytes() == (tmp_path / "b" / paper).read_bytes()


def test_licences_have_their_texts_and_the_compilers_exception(
    found: tuple[Component, ...], tmp_path: Path
) -> None:
    write(tmp_path, found, name="orillo", version="1", commit="c", epoch=7)
    text = (tmp_path / LICENCES).read_text()
    assert "Encode OSS Ltd" in text
    assert "runtime exception" in text.lower()
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in text


def test_module_of_unknown_origin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nobody knows where the module stranger"):
        components([report(tmp_path, "stranger.inner")], tmp_path)


def test_pins_of_a_lock_file() -> None:
    assert pins("a-b==1.2 \\\n    --hash=sha256:0\nC==3\n") == {"a-b": "1.2", "c": "3"}
