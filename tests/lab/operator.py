# SPDX-License-Identifier: Apache-2.0
"""The operator in the lab: `orillo-cloud serve` in its namespace, and its verbs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.command import LabError, Result
from tests.lab.process import Process
from tests.lab.product import Installation
from tests.lab.wait import until


@dataclass
class Operator:
    """One operator. `server` is its daemon while it runs, started with the words of `serving`."""

    installation: Installation
    log: Path
    server: Process | None = None
    serving: tuple[str, ...] = ("serve",)

    def init(self, cluster: str, *options: str) -> None:
        """Make its keys and its store."""
        self.must("init", "--cluster", cluster, *options)

    def start(self) -> None:
        """Start it and wait until it takes commands."""
        command = self.installation.command(*self.serving)
        self.server = server = Process(command, self.log, ns=self.installation.ns)
        socket = self.installation.root / "run/orillo-cloud/admin.sock"
        until(lambda: socket.exists() or not server.alive, "the operator's admin socket", 20)
        if not server.alive:
            raise LabError(f"orillo-cloud serve ended with {server.code}: {server.output().strip()}")

    def stop(self) -> None:
        if self.server:
            self.server.stop()

    def call(self, *words: str, feed: str | None = None) -> Result:
        return self.installation.call(*words, feed=feed)

    def must(self, *words: str, feed: str | None = None) -> str:
        """A verb that has to succeed; returns its output."""
        result = self.call(*words, feed=feed)
        if not result.ok:
            raise LabError(f"orillo-cloud {words[0]} ended with {result.code}: {result.text}")
        return result.out

    def apply(self, *files: Path) -> None:
        """Apply manifests, all or nothing."""
        self.must("apply", *(word for file in files for word in ("-f", str(file))))

    def delete(self, kind: str, name: str) -> None:
        """Forget an object."""
        self.must("delete", kind, name)

    def token(self, device: str, *options: str) -> str:
        """A new one-off token for a device, as its text."""
        return str(self.read("token", "create", "--name", device, *options)["token"])

    def read(self, *words: str) -> Any:
        """What a verb says with `-o json`."""
        return json.loads(self.must(*words, "-o", "json"))

    def explain(self, a: str, b: str) -> Result:
        """May `a` reach `b`, and why."""
        return self.call("explain", a, b)


def init_options(address: str, **repeated: Sequence[str]) -> list[str]:
    """The words of `init` for this address, with options such as `pod_pool=[...]`."""
    words = ["--address", address]
    for name, values in repeated.items():
        for value in values:
            words += [f"--{name.replace('_', '-')}", value]
    return words
