# SPDX-License-Identifier: Apache-2.0
"""`orillo bugreport [FILE]`: one file for support, with no key and no token in it."""

import asyncio
from pathlib import Path

from appliance.checks.box import open_box
from appliance.checks.packing import file_name, pack
from appliance.checks.report import gather
from appliance.cli.errors import Exit, need_root
from appliance.netcore.kernel.files import write_atomic
from appliance.paths import Paths
from appliance.status.words import size


def run(paths: Paths, file: Path | None, *, hash_addresses: bool) -> int:
    """Gather, redact, pack, and say where it is."""
    need_root("bugreport")
    texts = asyncio.run(_gather(paths, hash_addresses=hash_addresses))
    packed = pack(texts)
    target = file or Path(file_name())
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
