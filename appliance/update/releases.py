# SPDX-License-Identifier: Apache-2.0
"""The releases on a device, and which of them runs: a directory that survives losing power at any instant.

    0.2.0/     a release, complete: it was made under another name and renamed
    current    a link to the release that proved itself; without it the package's own runs
    trial      a link to the one that has still to prove itself
    trial.json what worked before it
    starts     how often which release was started (by `orillo-launch`)
    undone     which release was undone, and why, until another is kept or a package is installed

Every step is on disk before the next one, so a cut leaves the state before the step or after it. Which one
starts is decided by `orillo-launch`, a script of the package, by these links alone.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from appliance.trial import Sign
from appliance.update.archive import MANIFEST, Entry
from appliance.update.disk import Disk
from appliance.update.manifest import Manifest, ReleaseError, order

PROGRAM = "orillo"
#: Room that unpacking leaves to everybody else, bytes.
_SPARE = 32 << 20
_CURRENT, _TRIAL, _MEMORY, _STARTS, _UNDONE = "current", "trial", "trial.json", "starts", "undone"
_NEW = ".new-"
#: Names in the directory that are no releases.
_OURS = frozenset({_CURRENT, _TRIAL, _MEMORY, _STARTS, _UNDONE, "lock", "download"})


class Standing(msgspec.Struct, frozen=True):
    """Which releases are here. `current` and `trial` are empty for none; `undone`: the last one, and why."""

    current: str = ""
    trial: str = ""
    releases: tuple[str, ...] = ()
    undone: str = ""


class _Memory(msgspec.Struct, frozen=True):
    release: str = ""
    worked: tuple[Sign, ...] = ()


class Releases:
    """The releases below `directory`. Every method raises `DoorError`."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk

    def standing(self) -> Standing:
        """Which are here."""
        names = self._disk.names(self._directory)
        undone = (self._disk.read(self._directory / _UNDONE) or b"").decode(errors="replace").strip()
        current = self._target(_CURRENT)
        trial = self._target(_TRIAL)
        return Standing(
            current=current,
            # Between two steps of `keep` both point to it: it is kept then.
            trial="" if trial == current else trial,
            releases=tuple(sorted((n for n in names if n not in _OURS and n[:1] != "."), key=order)),
            undone=undone,
        )

    def program(self, release: str) -> Path:
        """The command of a release."""
        return self._directory / release / PROGRAM

    def version(self, release: str) -> str:
        """Which version a release is; empty for one that says nothing."""
        document = self._disk.read(self._directory / release / MANIFEST)
        try:
            return msgspec.json.decode(document or b"{}", type=Manifest).version
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ""

    def install(self, manifest: Manifest, document: bytes, files: Iterable[Entry]) -> str:
        """Put a release beside the others, complete or not at all; its name here."""
        name, disk = manifest.version, self._disk
        standing = self.standing()
        if name in (standing.current, standing.trial):
            raise ReleaseError(f"release {name} is in use here already")
        disk.make_directory(self._directory)
        self._need_room(manifest.archive.unpacked)
        fresh = self._directory / f"{_NEW}{name}"
        disk.remove_tree(fresh)
        disk.make_directory(fresh)
        self._fill(fresh, [*files, Entry(PurePosixPath(MANIFEST), document)])
        disk.remove_tree(self._directory / name)
        disk.move(fresh, name)
        disk.sync(self._directory)
        return name

    def begin(self, release: str, worked: Iterable[Sign]) -> None:
        """From the next start of the agent on, this release is on trial."""
        self._disk.remove(self._directory / _STARTS)
        self._put(_MEMORY, msgspec.json.encode(_Memory(release, tuple(sorted(worked)))))
        self._point(_TRIAL, release)

    def worked(self) -> frozenset[Sign]:
        """What worked before the release on trial."""
        try:
            memory = msgspec.json.decode(self._disk.read(self._directory / _MEMORY) or b"{}", type=_Memory)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return frozenset()
        return frozenset(memory.worked) if memory.release == self.standing().trial else frozenset()

    def keep(self) -> None:
        """The release on trial proved itself: it is the one that runs; the one before stays beside it."""
        standing = self.standing()
        if not standing.trial:
            return
        self._point(_CURRENT, standing.trial)
        self._end_trial()
        self._disk.remove(self._directory / _UNDONE)
        self._tidy({standing.trial, standing.current})

    def undo(self, reason: str) -> None:
        """The release on trial did not prove itself: whatever starts next is the one before."""
        standing = self.standing()
        if standing.trial:
            self._put(_UNDONE, f"{standing.trial} {reason}\n".encode())
        self._end_trial()
        self._tidy({standing.current})

    def _end_trial(self) -> None:
        self._disk.remove(self._directory / _TRIAL)
        self._disk.sync(self._directory)
        for name in (_MEMORY, _STARTS):
            self._disk.remove(self._directory / name)

    def _tidy(self, keep: set[str]) -> None:
        """Releases that nobody goes back to. What is left of an interrupted installation goes too."""
        for name in self._disk.names(self._directory):
            path = self._directory / name
            if name.startswith(_NEW) or not (name in _OURS or name in keep or name.startswith(".")):
                self._disk.remove_tree(path)

    def _fill(self, directory: Path, files: Iterable[Entry]) -> None:
        made = {directory}
        for entry in files:
            path = directory / entry.path
            for parent in reversed(path.parents):
                if directory in parent.parents and parent not in made:
                    self._disk.make_directory(parent)
                    made.add(parent)
            if entry.target:
                self._disk.link(path, entry.target)
                continue
            self._disk.write(path, entry.content, 0o755 if entry.executable else 0o644)
            self._disk.sync(path)
        for place in sorted(made, reverse=True):
            self._disk.sync(place)

    def _need_room(self, size: int) -> None:
        free = self._disk.free(self._directory)
        if free < size + _SPARE:
            lacking = (size + _SPARE - free) >> 20
            raise ReleaseError(
                f"{lacking + 1} MiB are lacking on the disk of {self._directory}: make room there"
            )

    def _put(self, name: str, data: bytes) -> None:
        path = self._directory / f".{name}"
        self._disk.write(path, data)
        self._disk.sync(path)
        self._disk.move(path, name)
        self._disk.sync(self._directory)

    def _point(self, name: str, target: str) -> None:
        path = self._directory / f".{name}"
        self._disk.remove(path)
        self._disk.link(path, target)
        self._disk.move(path, name)
        self._disk.sync(self._directory)

    def _target(self, name: str) -> str:
        target = self._disk.target(self._directory / name) or ""
        return "" if "/" in target else target
