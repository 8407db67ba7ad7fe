# SPDX-License-Identifier: Apache-2.0
"""What two builds are compared by."""

from pathlib import Path

import pytest

from orillo_build.twice import differences
from orillo_pack.__main__ import main as build


def _made(root: Path) -> Path:
    (root / "lib").mkdir(parents=True)
    (root / "orillo").write_bytes(b"program")
    (root / "lib/part").write_bytes(b"a part")
    return root


def test_every_difference_is_told(tmp_path: Path) -> None:
    one, other = _made(tmp_path / "one"), _made(tmp_path / "other")
    assert list(differences(one, other)) == []
    (other / "lib/part").write_bytes(b"a port")
    (other / "lib/more").write_bytes(b"")
    (one / "orillo").chmod(0o700)
    assert list(differences(one, other)) == [
        "lib/more: only in one of them",
        "lib/part: from byte 3 on, of 6 and 6",
        "orillo: another mode",
    ]


def test_the_verb_knows_what_dev_says_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build(["--help"])
    said = capsys.readouterr().out
    help_of_dev = (Path(__file__).parents[3] / "dev").read_text()
    of_build = help_of_dev.partition("\n  build ")[2].partition("\n  vm ")[0]
    options = {word.strip(":,;`.") for word in of_build.split() if word.startswith("--")} - {"--check"}
    assert {"--onefile", "--twice", "--deb"} <= options
    assert {option for option in options if option not in said} == set()
