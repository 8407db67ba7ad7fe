# SPDX-License-Identifier: Apache-2.0
"""The two roots as RAUC and the boot loader see them: entries on the EFI system partition."""

import shutil
from pathlib import Path

from appliance.host.entries import (
    SLOTS,
    TRIES,
    Entry,
    entry_text,
    next_version,
    primary,
    read_entry,
    with_machine_id,
    with_options,
)
from appliance.host.errors import HostConfigError
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text, remove, sync, write_atomic

#: Below a root: the kernel's command line that it wants, as slot a.
OPTIONS = "usr/lib/orillo-image/options"


class BootEntries:
    """The loader's entries below `esp`, and what changes them. Each change leaves something that boots."""

    def __init__(self, esp: Path) -> None:
        self._esp = esp
        self._directory = esp / "loader/entries"

    def all(self) -> list[Entry]:
        """Raises `DoorError`."""
        try:
            names = sorted(path.name for path in self._directory.iterdir())
        except OSError as error:
            raise HostConfigError(
                f"can't read the boot entries in {self._directory}: {error.strerror}"
            ) from error
        found = (read_entry(name, read_text(self._directory / name) or "") for name in names)
        return [entry for entry in found if entry is not None]

    def primary(self) -> str:
        """The slot that would start next. Raises `DoorError`."""
        slot = primary(self.all())
        if slot is None:
            raise HostConfigError(f"{self._directory} holds no boot entry of ours")
        return slot

    def is_good(self, slot: str) -> bool:
        """Whether the loader would still start it. A slot without an entry is not good."""
        return any(entry.slot == slot and not entry.is_bad for entry in self.all())

    def is_on_trial(self, slot: str) -> bool:
        """Whether its starts are counted."""
        return any(entry.slot == slot and entry.left is not None for entry in self.all())

    def count_start(self, slot: str) -> None:
        """Count this start of a system on trial, if the loader did not.

        It counts by renaming, and U-Boot's UEFI can't rename. Ours leaves `done` out of the name, which a
        loader that counts never does.
        """
        for entry in self._of(slot):
            if entry.left and not entry.done:
                self._rename(entry, Entry(slot, entry.left - 1, 0, entry.version))

    def set_good(self, slot: str) -> None:
        """Its starts are no longer counted."""
        for entry in self._of(slot):
            self._rename(entry, Entry(slot, None, 0, entry.version))

    def set_bad(self, slot: str) -> None:
        """Start it only if there is nothing else. Its kernel may be gone the next moment."""
        for entry in self._of(slot):
            self._rename(entry, Entry(slot, 0, entry.done, entry.version))

    def set_primary(self, slot: str, root: Path, booted: str) -> None:
        """Make `slot` the next to start, on trial, with the kernel that lies in its `root`.

        The kernel comes first and the entry last, so that a power cut leaves the system that runs now.
        """
        if slot == booted:
            self.set_good(slot)
            return
        entries = self.all()
        like = next((entry for entry in entries if entry.slot == booted), None)
        if like is None:
            raise HostConfigError(f"there is no boot entry of slot {booted} to make one for {slot} of")
        text = read_text(self._directory / like.name) or ""
        for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            self._copy(_only(root / "boot", pattern), self._esp / slot / name)
        for entry in self._of(slot):
            remove(self._directory / entry.name)
        fresh = Entry(slot, TRIES, 0, next_version(entries))
        if own := read_text(root / OPTIONS):
            text = with_options(text, booted, own)
        write_atomic(
            self._directory / fresh.name, entry_text(text, booted, slot, fresh.version).encode(), 0o600
        )

    def remember_machine(self, machine_id: str) -> None:
        """Put the machine's identity on the command line of every slot: it is the same at each boot then."""
        for entry in self.all():
            path = self._directory / entry.name
            text = read_text(path) or ""
            named = with_machine_id(text, machine_id)
            if named != text:
                write_atomic(path, named.encode(), 0o600)

    def _of(self, slot: str) -> list[Entry]:
        if slot not in SLOTS:
            raise HostConfigError(f"there is no slot {slot!r}: it is one of {', '.join(SLOTS)}")
        return [entry for entry in self.all() if entry.slot == slot]

    def _rename(self, before: Entry, after: Entry) -> None:
        if before.name == after.name:
            return
        try:
            (self._directory / before.name).rename(self._directory / after.name)
        except OSError as error:
            raise HostConfigError(f"can't rename boot entry {before.name}: {error.strerror}") from error
        sync(self._directory)

    def _copy(self, source: Path, target: Path) -> None:
        fresh = target.with_suffix(".new")
        try:
            target.parent.mkdir(exist_ok=True)
            # The old kernel of this slot goes first: there is no room for three.
            target.unlink(missing_ok=True)
            shutil.copyfile(source, fresh)
            sync(fresh)
            fresh.rename(target)
        except OSError as error:
            raise HostConfigError(
                f"can't put {source.name} on the boot partition: {error.strerror}"
            ) from error
        sync(target.parent)


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise DoorError(f"{directory} holds {len(found)} of {pattern}, not one: the bundle is damaged")
    return found[0]
