# SPDX-License-Identifier: Apache-2.0
"""What `--containers` adds: units for programs that the owner brings; without them nothing fails."""

import re

import pytest

from orillo_image.recipe import HERE

_EXTRA = HERE / "files-containers/usr/lib/systemd"


@pytest.mark.parametrize("name", ["edgecore", "k3s-agent"])
def test_a_program_that_is_not_there_is_no_failure(name: str) -> None:
    unit = (_EXTRA / f"system/{name}.service").read_text()
    started = re.search(r"^ExecStart=(\S+)", unit, re.MULTILINE)
    assert started is not None
    program = started[1]
    # On the data partition, which an update of the image does not touch.
    assert program.startswith("/var/lib/")
    assert f"ConditionPathExists={program}" in unit
    assert "After=" in unit
    assert "orillo.service" in unit
    assert f"enable {name}.service" in (_EXTRA / "system-preset/20-orillo-containers.preset").read_text()
    assert program in (HERE.parent / "docs/containers.md").read_text()
