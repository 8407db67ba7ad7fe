# SPDX-License-Identifier: Apache-2.0
"""The compiled appliance where there is no Python: `./dev build --check`, since a build takes minutes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.binary import compiled
from tests.bench.box import Box, make_box
from tests.lab.clean_root import DAEMONS, CleanRoot, install, make_root
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.product import Installation, Product
from tests.lab.wait import until

_CACHE = os.environ.get("ORILLO_CLEAN_ROOTS", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not _CACHE, reason="./dev build --check prepares what this needs"),
]
_NODE = "edge00000"


@pytest.fixture
def operator(namespaces: Namespaces) -> Box:
    """A real operator, whose connector nobody starts."""
    return make_box(namespaces, "box", Product().appliance, 1)


@pytest.fixture
def bare(namespaces: Namespaces) -> CleanRoot:
    return install(make_root(Path(_CACHE), ()), compiled().parent, namespaces.workdir / "bare")


@pytest.fixture
def running(namespaces: Namespaces, operator: Box) -> Iterator[Installation]:
    """Enrolled, with agent, charon and unbound running from the root."""
    root = install(make_root(Path(_CACHE), DAEMONS), compiled().parent, namespaces.workdir / "whole")
    inside = root.installation(namespaces.name("box"))
    enrolled = inside.call("enroll", "-", feed=operator.operator.token(_NODE) + "\n")
    assert enrolled.ok, enrolled.text
    logs = namespaces.workdir / "logs"
    verbs = {"charon": ("daemon", "charon"), "dns": ("daemon", "dns"), "agent": ("run",)}
    processes = [
        Process(inside.command(*words), logs / f"{name}.log", ns=inside.ns) for name, words in verbs.items()
    ]
    yield inside
    for process in processes:
        process.stop()


def test_without_anything_beside_it_each_verb_says_what_is_missing(bare: CleanRoot, operator: Box) -> None:
    assert not list((bare.path / "usr/bin").glob("python3*"))
    inside = bare.installation(operator.device.ns)
    assert inside.call("version").out.startswith("orillo ")
    assert inside.call("status").code == 3
    enrolled = inside.call("enroll", "-", feed=operator.operator.token(_NODE) + "\n")
    assert enrolled.ok, enrolled.text
    assert f"enrolled as {_NODE}" in enrolled.out
    for words, package in (
        (("run",), "iproute2"),
        (("daemon", "charon"), "iproute2"),
        (("daemon", "dns"), "unbound"),
    ):
        refused = inside.call(*words)
        assert (refused.code, f"apt-get install {package}" in refused.err) == (3, True), refused.text


def test_with_its_daemons_it_enrols_runs_and_shows_its_status(running: Installation) -> None:
    def applied() -> bool:
        answer = running.call("status", "-o", "json").out
        snapshot = json.loads(answer) if answer.startswith("{") else {}
        control = snapshot.get("control", {})
        return snapshot.get("state") == "running" and bool(control.get("connected"))

    until(applied, "the plan is in force", 60, 0.5, lambda: running.call("status").text)
    refused = running.call("purge")
    assert (refused.code, "stop it first" in refused.err) == (3, True)
