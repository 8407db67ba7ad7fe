# SPDX-License-Identifier: Apache-2.0
"""The report for support as one file. Pure but for the time."""

import io
import tarfile
import time

from appliance.netcore.errors import DoorError

_LARGEST = 1_000_000


def file_name() -> str:
    """What the file is called where nobody says otherwise."""
    return f"orillo-bugreport-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"


def pack(texts: dict[str, str]) -> bytes:
    """A gzipped tar of at most 1 MB; the largest texts are halved until it fits. Raises `DoorError`."""
    while True:
        packed = _pack(texts)
        if len(packed) <= _LARGEST:
            return packed
        largest = max((name for name in texts if name != "manifest.json"), key=lambda name: len(texts[name]))
        if len(texts[largest]) < 1000:
            raise DoorError("the report does not fit into 1 MB")
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
