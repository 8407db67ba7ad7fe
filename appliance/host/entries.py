# SPDX-License-Identifier: Apache-2.0
"""Boot entries with boot counting (systemd-boot(7), "Automatic Boot Assessment"). Pure.

An entry is `orillo-SLOT.conf`, good, or `orillo-SLOT+LEFT-DONE.conf`, on trial: the loader counts LEFT down
at each start, and takes an entry with none left only when there is no other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SLOTS = ("a", "b")
TRIES = 3
_NAME = re.compile(r"^orillo-([ab])(?:\+(\d+)(?:-(\d+))?)?\.conf$")
_VERSION = re.compile(r"(?m)^version\s+(\d+)\s*$")


@dataclass(frozen=True)
class Entry:
    """One entry: `left` is None when it proved good; `version` is what the loader prefers by."""

    slot: str
    left: int | None
    done: int
    version: int

    @property
    def name(self) -> str:
        if self.left is None:
            return f"orillo-{self.slot}.conf"
        return f"orillo-{self.slot}+{self.left}{f'-{self.done}' if self.done else ''}.conf"

    @property
    def is_bad(self) -> bool:
        return self.left == 0


def read_entry(name: str, text: str) -> Entry | None:
    """The entry of that file name and content; None if it is not one of ours."""
    found = _NAME.match(name)
    version = _VERSION.search(text)
    if found is None or version is None:
        return None
    left = int(found[2]) if found[2] is not None else None
    return Entry(found[1], left, int(found[3] or 0), int(version[1]))


def primary(entries: Iterable[Entry]) -> str | None:
    """The slot that the loader would start next."""
    ordered = sorted(entries, key=lambda entry: (not entry.is_bad, entry.version), reverse=True)
    return ordered[0].slot if ordered else None


def next_version(entries: Iterable[Entry]) -> int:
    """The version of an entry that is to be preferred to all others."""
    return max((entry.version for entry in entries), default=0) + 1


def entry_text(like: str, of: str, slot: str, version: int) -> str:
    """An entry for `slot`, made of the text `like` of the entry of slot `of`."""
    text = re.sub(rf"(?m)^((?:linux|initrd)\s+)/{of}/", rf"\g<1>/{slot}/", like)
    text = re.sub(r"(?m)^title .*$", f"title Orillo ({slot})", text)
    text = text.replace(f"root=PARTLABEL=root-{of} ", f"root=PARTLABEL=root-{slot} ")
    text = text.replace(f"rauc.slot={of} ", f"rauc.slot={slot} ")
    return _VERSION.sub(f"version {version}", text)


def with_options(text: str, of: str, own: str) -> str:
    """The entry of slot `of` with the options that a root brings for slot a, and this machine's identity."""
    machine = re.search(r"(?m)^options .*?systemd\.machine_id=(\S+)", text)
    words = entry_text(f"options {own.strip()}\n", "a", of, 0).rstrip("\n")
    text = re.sub(r"(?m)^options .*$", lambda _found: words, text)
    return with_machine_id(text, machine[1]) if machine else text


def with_machine_id(text: str, machine_id: str) -> str:
    """The entry with this machine's identity (machine-id(5)) on the kernel's command line."""
    text = re.sub(r"(?m) systemd\.machine_id=\S*", "", text)
    return re.sub(r"(?m)^(options .*)$", rf"\g<1> systemd.machine_id={machine_id}", text)
