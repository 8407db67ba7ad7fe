# SPDX-License-Identifier: Apache-2.0
"""What support needs to see, gathered and redacted: names of files to their text."""

import asyncio
import json
import os
import platform
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path

from appliance import __version__
from appliance.checks.all import examine
from appliance.checks.box import Box
from appliance.netcore.errors import DoorError
from appliance.netcore.health.engine import conclude
from appliance.netcore.health.redaction import without_addresses, without_secrets
from appliance.netcore.kernel.files import read_text
from appliance.netcore.kernel.processes import run
from appliance.netcore.plan.values import encode

FORMAT = "orillo.io/bugreport/v1"
#: Of one file, in characters; of all of them far less remains when packed.
_LARGEST = 400_000
_LARGEST_IN_ALL = 3_000_000
_PATIENCE = 5.0

#: What other programs show, by the name of the file.
_COMMANDS = {
    "host/links.txt": ("ip", "-details", "link"),
    "host/addresses.txt": ("ip", "address"),
    "host/rules4.txt": ("ip", "-4", "rule"),
    "host/rules6.txt": ("ip", "-6", "rule"),
    "host/routes4.txt": ("ip", "-4", "route", "show", "table", "all"),
    "host/routes6.txt": ("ip", "-6", "route", "show", "table", "all"),
    "host/neighbours.txt": ("ip", "neighbour"),
    "host/nftables.txt": ("nft", "-t", "list", "ruleset"),
    "host/journal.txt": ("journalctl", "--no-pager", "-n", "2000", "-u", "orillo*"),
    "host/processes.txt": ("ps", "-eo", "pid,ppid,etimes,rss,comm"),
}


async def gather(box: Box, *, hash_addresses: bool) -> dict[str, str]:
    """The report, each text redacted. What could not be had says why instead."""
    names = list(_COMMANDS)
    shown = await asyncio.gather(*(_try(_show(_COMMANDS[name])) for name in names))
    texts = dict(zip(names, shown, strict=True)) | _files(box)
    texts["doctor.json"] = await _try(_doctor(box))
    texts["charon.json"] = await _try(_charon(box))
    texts["unbound.json"] = await _try(_unbound(box))
    texts = {name: without_secrets(text) for name, text in texts.items()}
    if hash_addresses:
        salt = os.urandom(16)
        texts = {name: without_addresses(text, salt) for name, text in texts.items()}
    texts = dict(_fitting(texts))
    return {"manifest.json": _manifest(box, hash_addresses=hash_addresses, names=sorted(texts)), **texts}


def _fitting(texts: dict[str, str]) -> list[tuple[str, str]]:
    left, kept = _LARGEST_IN_ALL, []
    for name, text in texts.items():
        most = min(_LARGEST, left)
        # The end of a log says more than its beginning; all else is read from the top.
        cut = text if len(text) <= most else (text[-most:] if "journal" in name else text[:most])
        kept.append((name, cut if cut == text else f"[cut to {most} of {len(text)} characters]\n{cut}"))
        left -= len(cut)
    return kept


def _manifest(box: Box, *, hash_addresses: bool, names: list[str]) -> str:
    identity = box.held.device.identity if box.held.device else None
    return json.dumps(
        {
            "format": FORMAT,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": identity.name if identity else None,
            "cluster": identity.cluster if identity else None,
            "instance": identity.instance if identity else None,
            "agent": __version__,
            "generation": box.plan.generation if box.plan else None,
            "kernel": platform.release(),
            "machine": platform.machine(),
            "addresses_hashed": hash_addresses,
            "files": names,
        },
        indent=2,
    )


def _files(box: Box) -> dict[str, str]:
    paths = {
        "settings.toml": box.paths.settings,
        "run/unbound.conf": box.paths.unbound_conf,
        "run/strongswan.conf": box.paths.run / "strongswan.conf",
        "host/resolv.conf": box.paths.resolv_conf,
        "host/os-release": Path("/etc/os-release"),
        "host/meminfo": Path("/proc/meminfo"),
    }
    found = {name: _read(path) for name, path in paths.items()}
    # The plan holds public keys and certificates only; what may be said of it can be said whole.
    found["plan.json"] = encode(box.plan).decode() if box.plan else "there is no plan"
    found["status.json"] = encode(box.agent.snapshot).decode() if box.agent.snapshot else "no agent answers"
    return found


def _read(path: Path) -> str:
    try:
        return read_text(path) or f"{path} is not there"
    except DoorError as error:
        return str(error)


async def _show(command: tuple[str, ...]) -> str:
    return (await run(*command, timeout=_PATIENCE)).decode(errors="replace")


async def _doctor(box: Box) -> str:
    return encode({"conditions": conclude(await examine(box))}).decode()


async def _charon(box: Box) -> str:
    return encode(
        {"sas": await box.charon.list_sas(), "connections": await box.charon.list_connections()}
    ).decode()


async def _unbound(box: Box) -> str:
    forwards = await box.unbound.forwards()
    records = await box.unbound.records()
    zones = {zone: sorted(map(str, servers)) for zone, servers in forwards.items()}
    return json.dumps({"forwards": zones, "records": sorted(record.text for record in records)[:2000]})


async def _try(work: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE * 3):
            return await work
    except (DoorError, TimeoutError, TypeError) as error:
        return f"not to be had: {error or 'it took too long'}"
