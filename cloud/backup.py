# SPDX-License-Identifier: Apache-2.0
"""All that an operator can't be without, as one file: settings, CA, plan key and store.

What comes out of a backup is older than what devices know. So a restored operator numbers its plans far
beyond all that was handed out since, and voids the tokens that were open: some of them are used by now.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from appliance import __version__
from cloud.files import make_private_directory, write_atomic
from cloud.paths import CloudPaths
from cloud.store.plans import StoredPlan
from cloud.store.store import Store

_FORMAT = "orillo.io/cloud-backup/v1"
_MANIFEST, _SETTINGS, _STORE = "manifest.json", "cloud.toml", "store.sqlite"
_KEYS = ("ca.key", "ca.crt", "plan.key")
_PRIVATE, _PUBLIC = 0o600, 0o644


class BackupError(ValueError):
    """A file that is no backup, or a place where none can be put back; the text says what to do."""


def pack(paths: CloudPaths, store: bytes, cluster: str, now: datetime) -> bytes:
    """The backup of the operator of these paths, whose store is `store`. Raises `OSError`."""
    about = {"format": _FORMAT, "cluster": cluster, "at": now.isoformat(), "version": __version__}
    parts = {_MANIFEST: json.dumps(about).encode(), _SETTINGS: paths.settings.read_bytes(), _STORE: store}
    parts |= {f"keys/{name}": (paths.keys / name).read_bytes() for name in _KEYS}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), _PRIVATE, int(now.timestamp())
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """The parts of a backup by name, all of them there. Raises `BackupError`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            parts = {entry.name: _content(archive, entry) for entry in archive}
        about = json.loads(parts[_MANIFEST])
        if about["format"] != _FORMAT:
            raise BackupError(
                f"this backup is of the form {about['format']!r}: restore it with a newer program"
            )
        for name in (_SETTINGS, _STORE, *(f"keys/{name}" for name in _KEYS)):
            _ = parts[name]
    except (tarfile.TarError, EOFError, KeyError, TypeError, OSError) as error:
        raise BackupError(f"this is no backup of an operator, or it is damaged: {error}") from error
    return parts


def put_back(paths: CloudPaths, parts: Mapping[str, bytes], now: datetime) -> None:
    """Make the operator of a backup; the settings last: with them there, it is complete.

    Only for the holder of the `WriterLock`. Raises `OSError` and `StoreError`.
    """
    make_private_directory(paths.keys)
    for name in _KEYS:
        mode = _PUBLIC if name.endswith(".crt") else _PRIVATE
        write_atomic(paths.keys / name, parts[f"keys/{name}"], mode)
    write_atomic(paths.database, parts[_STORE], _PRIVATE)
    store = Store.open(paths.database)
    try:
        with store.transaction():
            _take_numbers(store)
            store.plans.leap()
            store.tokens.void(now)
    finally:
        store.close()
    paths.settings.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(paths.settings, parts[_SETTINGS], _PUBLIC)


def _take_numbers(store: Store) -> None:
    """What a replica knew of others' plans; the pages themselves are as old as the backup, and go."""
    for page in store.pages.all():
        for name, head in page.plans.items():
            kept = store.plans.head(name)
            if kept is None or kept.generation < head.generation:
                store.plans.put(StoredPlan(name, head.generation, digest="", fingerprint="", document=None))
    store.pages.clear()


def in_the_way(paths: CloudPaths) -> Path | None:
    """What of an operator is there already, if anything is."""
    return next((path for path in (paths.settings, paths.keys, paths.database) if path.exists()), None)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry) if entry.isfile() else None
    return stream.read() if stream else b""
