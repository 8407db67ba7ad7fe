# SPDX-License-Identifier: Apache-2.0
"""`terminal`: what a technician asks and does at `orillo tui`, by its socket and on a real terminal."""

import json
import re
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from tests.lab.command import attempt
from tests.lab.demo.check import expect
from tests.lab.demo.topology import OUTSIDE_NAME, SERVICE_NAME
from tests.lab.demo.world import World
from tests.lab.device import Device
from tests.lab.process import environment
from tests.tui.pseudo import on_terminal

_EDGE = "shop1"
_SAS = re.compile(r"^(\S+): #(\d+), ESTABLISHED", re.MULTILINE)
#: Somebody who may open the socket, and is not root.
_AS_NOBODY = """
import os, socket, sys
os.chdir(sys.argv[1])
os.setegid(0)
os.seteuid(65534)
asking = socket.socket(socket.AF_UNIX)
asking.connect("status.sock")
asking.sendall(sys.argv[2].encode() + b"\\n")
print(asking.makefile().readline())
"""


def terminal(world: World) -> str:
    """Looks and a walk; what is for root only; a tunnel made anew, from the socket and from the screen."""
    device = world.devices[_EDGE]
    looked = _looks(world, device)
    _for_root_only(device)
    hops = _walk(device)
    hub = world.hub_of(_EDGE)
    stream = world.stream(_EDGE, world.pods["cloud"].v4)
    stream.wait_for_replies(5, 10)
    before = _sas(device)
    answer = _ask(device, "reinitiate", peer=hub)
    expect(answer["up"], f"{hub} did not come back: {answer['reason']}")
    after = _sas(device)
    expect(hub in after and after[hub] != before[hub], f"charon still has the SA {before[hub]} of {hub}")
    _from_the_screen(device, hub)
    expect(_sas(device)[hub] != after[hub], f"the screen made no new SA to {hub}")
    stream.wait_for_replies(len(stream.replies()) + 5, 15)
    lost = stream.stop().lost
    anew = f"{hub} anew in {answer['seconds']:.1f} s and by keys, {lost} echoes lost in all"
    return f"{looked}; why in {hops} parts; {anew}"


def _looks(world: World, device: Device) -> str:
    link = _ask(device, "uplinks")["links"][0]
    expect(link["carrier"] and bool(link["gateways"]), f"the uplink is shown as {link}")
    ways = {peer["name"]: peer for peer in _ask(device, "peers")["peers"]}
    expect(ways["shop2"]["path"] == "hub" and ways["shop2"]["up"], f"shop2 is shown as {ways['shop2']}")
    pods = {address for pod in _ask(device, "pods")["pods"] for address in pod["addresses"]}
    expect(str(world.pods[_EDGE].v4) in pods, f"of the pods only {pods} are shown")
    found = _ask(device, "lookup", name=SERVICE_NAME)
    expect(found["source"] == "plan" and bool(found["addresses"]), f"{SERVICE_NAME} is shown as {found}")
    outside = _ask(device, "lookup", name=OUTSIDE_NAME)
    expect(outside["source"] in ("forward", "cache"), f"{OUTSIDE_NAME} is shown as {outside}")
    expect(_ask(device, "dns")["queries"] > 0, "the name cache is shown without queries")
    lines = [line["text"] for line in _ask(device, "logs")["lines"]]
    expect(any("generation" in line for line in lines), "the log does not tell of the plan")
    probed = _ask(device, "probe", peer="shop2")
    expect(
        len(probed["rtts"]) == probed["sent"], f"of {probed['sent']} echoes {len(probed['rtts'])} came back"
    )
    return f"uplink, {len(ways)} peers, {len(pods)} addresses of pods, {len(lines)} log lines shown"


def _for_root_only(device: Device) -> None:
    """By the credentials that the kernel tells of the other side."""
    for request, allowed in (({"op": "peers"}, True), ({"op": "reinitiate", "peer": "connector-1"}, False)):
        words = (sys.executable, "-c", _AS_NOBODY, str(device.run_directory), json.dumps(request))
        answer = attempt(*words).out
        expect(('"ok":true' in answer) is allowed, f"not root asked {request['op']} and got {answer[:200]}")


def _walk(device: Device) -> int:
    answers = _answers(device, {"op": "why", "a": "self", "b": "shop2", "parts": True})
    whole = answers[-1]
    expect([one.get("part") for one in answers[:-1]] == whole["hops"], "the parts are not the whole")
    expect(not whole["breaks"], f"the path to shop2 is said to break at {whole['breaks']}")
    return len(answers) - 1


def _from_the_screen(device: Device, hub: str) -> None:
    command = device.installation.command("tui")
    words = (shutil.which("ip") or "ip", "netns", "exec", device.ns, *command)
    with on_terminal(words, environment() | {"TERM": "vt100", "LANG": "C"}) as line:
        line.until(lambda output: b"Support" in output and b"Overview" in output)
        line.type("2")
        line.until(lambda output: b"re-initiate" in output)
        row = sorted(_ask(device, "status")["status"]["tunnels"]).index(hub)
        line.type("j" * row + "i")
        line.until(lambda output: b"reinitiate " + hub.encode() in output)
        line.type("\r")
        line.until(lambda output: b"a new tunnel is up" in output)
        line.type("q")
        expect(line.wait() == 0, "the terminal did not end well")


def _sas(device: Device) -> dict[str, str]:
    return dict(_SAS.findall(device.security_associations()))


def _ask(device: Device, op: str, **fields: Any) -> dict[str, Any]:
    return _answers(device, {"op": op, **fields})[-1]


def _answers(device: Device, request: dict[str, Any]) -> list[dict[str, Any]]:
    """All lines of an answer, as root."""
    found: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(30)
        asking.connect(str(Path(device.run_directory) / "status.sock"))
        asking.sendall(json.dumps(request).encode() + b"\n")
        with asking.makefile() as lines:
            while not found or "part" in found[-1]:
                found.append(json.loads(lines.readline()))
    expect(found[-1].get("ok") is True, f"{request['op']}: {found[-1].get('error')}")
    return found
