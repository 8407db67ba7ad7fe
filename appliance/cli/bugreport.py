# SPDX-License-Identifier: Apache-2.0
"""`orillo bugreport [FILE]`: one file for support, with no key and no token in it."""

import asyncio
import io
import tarfile
import time
from pathlib import Path

from appliance.checks.box import open_box
from appliance.checks.report import gather
from appliance.cli.errors import CliError, Exit, need_root
from appliance.netcore.kernel.files import write_atomic
from appliance.paths import Paths
from appliance.status.words import size

_LARGEST = 1_000_000


def run(paths: Paths, file: Path | None, *, hash_addresses: bool) -> int:
    """Gather, redact, pack, and say where it is."""
    need_root("bugreport")
    texts = asyncio.run(_gather(paths, hash_addresses=hash_addresses))
    packed = pack(texts)
    target = file or Path(f"orillo-bugreport-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz")
    write_atomic(target.absolute(), packed, 0o600)
    print(f"{target}: {len(texts)} files, {size(len(packed))}; keys and tokens are taken out of it")
    print("Look into it with `orillo-cloud bugreport show FILE` before you give it away.")
    return Exit.OK


async def _gather(paths: Paths, *, hash_addresses: bool) -> dict[str, str]:
    box = open_box(paths)
    try:
        return await gather(box, hash_addresses=hash_addresses)
    finally:
        await box.close()


def pack(texts: dict[str, str]) -> bytes:
    """A gzipped tar of at most 1 MB; the largest texts are halved until it fits."""
    while True:
        packed = _pack(texts)
        if len(packed) <= _LARGEST:
            return packed
        largest = max((name for name in texts if name != "manifest.json"), key=lambda name: len(texts[name]))
        if len(texts[largest]) < 1000:
            raise CliError("the report does not fit into 1 MB")
        texts = texts | {largest: texts[largest][: len(texts[largest]) // 2]}


def _pack(texts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in texts.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"orillo-bugreport/{name}")
            entry.size, entry.mtime = len(data), int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
