# SPDX-License-Identifier: Apache-2.0
"""Give back what a quiet daemon does not use: freed heap, and pages of program files that its start needed.

A page that is dropped here stays in the page cache, and comes back by a minor fault when it is touched.
"""

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_MAPS = Path("/proc/self/smaps")
_PROGRAM = Path("/proc/self/exe")
#: mallopt(3). One arena for all threads: each would keep its own freed memory.
_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_MADV_DONTNEED = 4  # madvise(2)


def settle_allocator() -> None:
    """Before threads start: make malloc(3) keep little. Without glibc nothing happens."""
    library = _library()
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
        library.mallopt(_M_TRIM_THRESHOLD, 128 * 1024)


def give_back(*, after_work: bool = True) -> None:
    """Return freed heap, and drop clean pages of mapped files.

    After work, cycles of dead objects go first: few of them hold a page each, and looking for them takes some
    ten milliseconds.
    """
    if after_work:
        gc.collect()
    library = _library()
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
    for start, length in _droppable():
        library.madvise(start, length, _MADV_DONTNEED)


@cache
def _library() -> Any:
    try:
        # Of a build (packaging/orillo_build/libc.c).
        import orillo_libc
    except ImportError:
        import ctypes

        library = ctypes.CDLL(None)
        library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        return library
    return orillo_libc


@cache
def _droppable() -> tuple[tuple[int, int], ...]:
    """Where read-only file pages are mapped, start and length; as it is when first asked.

    Only mappings without a single private page: the file has all that is in them. What the dynamic linker
    relocated is private, and would be lost.
    """
    return tuple(clean_mappings(_MAPS.read_text(), str(_PROGRAM.readlink())))


def clean_mappings(smaps: str, program: str) -> Iterator[tuple[int, int]]:
    """The mappings in an smaps (proc(5)) of `program` and libraries that the file backs whole.

    Other files may be unmapped at any time, and their addresses become somebody's memory.
    """
    candidate: tuple[int, int] | None = None
    for line in smaps.splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            candidate = _read_only_code(words, program)
        elif words[0] == "Anonymous:" and words[1] == "0" and candidate:
            yield candidate


def _read_only_code(words: list[str], program: str) -> tuple[int, int] | None:
    if len(words) < 6 or words[1] not in ("r--p", "r-xp"):
        return None
    if words[5] != program and ".so" not in Path(words[5]).name:
        return None
    start, _, end = words[0].partition("-")
    return int(start, 16), int(end, 16) - int(start, 16)
