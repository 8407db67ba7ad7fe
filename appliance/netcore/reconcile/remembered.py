# SPDX-License-Identifier: Apache-2.0
"""What was put, by name, as two digests, in one block of memory.

An object for each would be made among the garbage of its own pass and then hold a page for itself: a
thousand connections held 3 MB. The block is a hash table without links: a name's record is in its place, or
in the next free one after it.
"""

import hashlib

_SIZE = 16
_RECORD = 3 * _SIZE  # digest of the name, and what is remembered
_FREE = bytes(_SIZE)
#: The table grows before more of its places than this are taken.
_FULL = 0.7


def digest(text: str) -> bytes:
    """Of `text`; as long as what `Remembered` remembers."""
    return hashlib.blake2b(text.encode(), digest_size=_SIZE).digest()


class Remembered:
    """Two digests for each name."""

    def __init__(self) -> None:
        self._block = bytearray(8 * _RECORD)
        self._count = 0

    def remember(self, name: str, first: bytes, second: bytes) -> None:
        """In the place of what was remembered of that name."""
        if (self._count + 1) * _RECORD > len(self._block) * _FULL:
            self._make_anew(2 * len(self._block))
        at, there = self._place(key := digest(name))
        self._block[at : at + _RECORD] = key + first + second
        self._count += not there

    def recall(self, name: str) -> tuple[bytes, bytes] | None:
        """Both digests; None for a name that is not known."""
        at, there = self._place(digest(name))
        record = bytes(self._block[at : at + _RECORD])
        return (record[_SIZE : 2 * _SIZE], record[2 * _SIZE :]) if there else None

    def forget(self, name: str) -> None:
        """Names are few that go, so the others are put in place anew."""
        at, there = self._place(digest(name))
        if there:
            self._block[at : at + _SIZE] = _FREE
            self._make_anew(len(self._block))

    def _place(self, key: bytes) -> tuple[int, bool]:
        """Where the record of a name is or would be, and whether it is there."""
        at = int.from_bytes(key[:8], "big") * _RECORD % len(self._block)
        while (held := self._block[at : at + _SIZE]) != _FREE and held != key:
            at = (at + _RECORD) % len(self._block)
        return at, held == key

    def _make_anew(self, size: int) -> None:
        before, self._block, self._count = self._block, bytearray(size), 0
        for start in range(0, len(before), _RECORD):
            record = before[start : start + _RECORD]
            if record[:_SIZE] != _FREE:
                at, _ = self._place(bytes(record[:_SIZE]))
                self._block[at : at + _RECORD] = record
                self._count += 1
