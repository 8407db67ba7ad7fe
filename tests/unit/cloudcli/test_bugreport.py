# SPDX-License-Identifier: Apache-2.0
"""A device packs a report, and the operator's command reads it."""

import json
import tarfile
from pathlib import Path

import pytest

from appliance.checks.packing import pack
from appliance.checks.report import FORMAT
from tests.unit.cloudcli.running import Run

MANIFEST = {
    "format": FORMAT,
    "at": "2026-01-02T03:04:05+00:00",
    "device": "shop1",
    "cluster": "lab",
    "instance": "0a1b2c3d",
    "agent": "0.1.0",
    "generation": 3,
    "kernel": "6.1.0",
    "machine": "aarch64",
    "addresses_hashed": False,
    "files": ["doctor.json"],
}
CONDITION = {
    "code": "link-no-carrier",
    "severity": "fault",
    "text": "No signal on the network port eth0.",
    "evidence": "no carrier on eth0",
    "remedy": "Plug the cable in.",
}


def write(path: Path, **manifest: object) -> Path:
    texts = {
        "manifest.json": json.dumps(MANIFEST | manifest),
        "doctor.json": json.dumps({"conditions": [CONDITION]}),
    }
    path.write_bytes(pack(texts))
    return path


def test_report_is_shown_with_what_the_doctor_said(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "report.tar.gz")
    said = run("bugreport", "show", str(file)).out
    for word in ("shop1", "link-no-carrier", "Plug the cable in.", "doctor.json"):
        assert word in said
    document = json.loads(run("bugreport", "show", str(file), "-o", "json").out)
    assert document["manifest"] == MANIFEST
    assert document["conditions"] == [CONDITION]


def test_one_text_of_it(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "report.tar.gz")
    assert json.loads(run("bugreport", "show", str(file), "doctor.json").out)["conditions"]
    refused = run("bugreport", "show", str(file), "nothing")
    assert refused.code != 0
    assert "doctor.json" in refused.err


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08\0garbage"])
def test_what_is_no_report_is_refused_in_one_line(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    refused = run("bugreport", "show", str(file))
    assert refused.code != 0
    assert "no bug report" in refused.err
    assert "Traceback" not in refused.err


def test_report_of_a_later_format_is_refused(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "report.tar.gz", format="orillo.io/bugreport/v9")
    assert "v9" in run("bugreport", "show", str(file)).err


def test_report_never_grows_past_a_megabyte(tmp_path: Path) -> None:
    """Whatever a log holds; here what no compression makes smaller."""
    import random

    noise = "".join(map(chr, random.Random(7410).choices(range(0x4E00, 0x9FFF), k=900_000)))
    file = tmp_path / "report.tar.gz"
    file.write_bytes(pack({"manifest.json": json.dumps(MANIFEST), "host/journal.txt": noise}))
    assert file.stat().st_size <= 1_000_000
    with tarfile.open(file) as archive:
        assert len(archive.getnames()) == 2
