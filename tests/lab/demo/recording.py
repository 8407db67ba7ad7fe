# SPDX-License-Identifier: Apache-2.0
"""Makes the recording that `orillo tui --demo` shows: a shop of the demo loses its uplink, and has it again.

    python -m tests.lab.demo.recording FILE

Everything that the screens ask for is asked for after each snapshot that matters, as `--record` does.
"""

import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from appliance.status.watching import DoorError, watch
from appliance.tui.feed import live_asker, recorded_asker, recording
from tests.lab.command import run
from tests.lab.demo.build import build
from tests.lab.demo.topology import OUTSIDE_NAME, SERVICE_NAME
from tests.lab.demo.world import World
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product

_DEVICE = "shop1"
_LOOKS = ("uplinks", "peers", "dns", "pods", "logs", "plan", "keys")
#: What a technician would ask, with the fields; the addresses are the demo's own.
_QUESTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("lookup", {"name": SERVICE_NAME}),
    ("lookup", {"name": OUTSIDE_NAME}),
    ("probe", {"peer": "connector-1"}),
    ("probe", {"peer": "shop2"}),
    ("why", {"a": "self", "b": "shop2"}),
    ("why", {"a": "self", "b": "web", "port": 80}),
)
_HEALTHY, _CUT, _AGAIN = 4, 10, 8


class Recorder:
    """Writes what the device says."""

    def __init__(self, socket: Path, file: IO[bytes]) -> None:
        self._socket = socket
        self._file = file
        self._ask = recorded_asker(live_asker(socket), file)

    async def snapshots(self, count: int) -> None:
        """So many of them, as they come, and all looks after the first and the last."""
        seen = 0
        async for snapshot in watch(self._socket, silence=3.0):
            self._file.write(recording(snapshot))
            seen += 1
            if seen in (1, count):
                await self.questions(tuple((op, {}) for op in _LOOKS))
            if seen == count:
                return

    async def questions(self, asked: tuple[tuple[str, Mapping[str, Any]], ...]) -> None:
        """Each with its answer; one that is refused is left out."""
        for op, fields in asked:
            try:
                _ = [answer async for answer in self._ask(op, fields)]
            except DoorError as error:
                print(f"{op}: {error}", file=sys.stderr)


async def record(world: World, file: IO[bytes]) -> None:
    """Healthy; the uplink is switched off; it is on again."""
    device = world.devices[_DEVICE]
    recorder = Recorder(device.run_directory / "status.sock", file)
    world.pods[_DEVICE].dig(OUTSIDE_NAME)
    for name in ("web", "shop2", "cloud"):
        if name in world.pods:
            world.pods[_DEVICE].ping(world.pods[name].v4, count=2)
    await recorder.snapshots(_HEALTHY)
    await recorder.questions((*_QUESTIONS, ("reinitiate", {"peer": "connector-2"})))
    await recorder.snapshots(_HEALTHY)
    run("ip", "link", "set", "uplink", "down", ns=device.ns)
    await recorder.snapshots(_CUT)
    await recorder.questions((*_QUESTIONS, ("doctor", {})))
    run("ip", "link", "set", "uplink", "up", ns=device.ns)
    run("ip", "route", "replace", "default", "via", "192.168.1.1", ns=device.ns)
    await recorder.snapshots(_AGAIN)


def main() -> int:
    """Build, record, and take all of it away again."""
    if len(sys.argv) != 2 or os.geteuid() != 0:
        print("usage, as root: python -m tests.lab.demo.recording FILE", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            world = build(namespaces, Product(), lambda text: print(text, file=sys.stderr))
            world.wait_for_tunnels(_DEVICE, 30)
            made = io.BytesIO()
            asyncio.run(record(world, made))
            # A device has its files at the root.
            root = str(world.devices[_DEVICE].root).encode()
            Path(sys.argv[1]).write_bytes(made.getvalue().replace(root, b""))
        finally:
            namespaces.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
