# SPDX-License-Identifier: Apache-2.0
"""A disk that loses power: what was not synced is there afterwards, or is not, or in part.

It is meaner than any file system: each change of a name since its directory's last sync survives or not by
itself, in order; a file's content since its last sync is the old, the new, or the beginning of the new.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from appliance.netcore.errors import DoorError


class PowerLoss(BaseException):
    """The power is gone. Not an error of the program, so that nothing there catches it."""


@dataclass
class _File:
    content: bytes
    mode: int
    durable: bytes | None = None


@dataclass
class _Link:
    target: str


@dataclass
class _Directory:
    names: dict[str, "_Node"] = field(default_factory=dict)
    durable: dict[str, "_Node"] = field(default_factory=dict)
    pending: list[Callable[[dict[str, "_Node"]], None]] = field(default_factory=list)


_Node = _File | _Link | _Directory


class FakeDisk:
    """In memory below `root`. `steps` counts changes and syncs; at number `fails_at` the power is lost.

    `room` is what `free` says.
    """

    def __init__(self, root: Path, room: int = 1 << 40) -> None:
        self.steps = 0
        self.fails_at: int | None = None
        self.room = room
        self._root = root
        self._top = _Directory()

    def names(self, directory: Path) -> tuple[str, ...]:
        found = self._find(directory)
        return tuple(sorted(found.names)) if isinstance(found, _Directory) else ()

    def read(self, path: Path) -> bytes | None:
        found = self._find(path)
        return found.content if isinstance(found, _File) else None

    def target(self, link: Path) -> str | None:
        found = self._find(link)
        return found.target if isinstance(found, _Link) else None

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        del mode
        if path != self._root and self._find(path) is None:
            self.make_directory(path.parent)
            made = _Directory()
            self._change(path, lambda names: names.__setitem__(path.name, made))

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        file = _File(data, mode)
        self._change(path, lambda names: names.__setitem__(path.name, file))

    def link(self, path: Path, target: str) -> None:
        if self._find(path) is not None:
            raise DoorError(f"{path} is there already")
        self._change(path, lambda names: names.__setitem__(path.name, _Link(target)))

    def sync(self, path: Path) -> None:
        self._step()
        found = self._find(path)
        if isinstance(found, _File):
            found.durable = found.content
        elif isinstance(found, _Directory):
            found.durable = dict(found.names)
            found.pending.clear()
        else:
            raise DoorError(f"{path} is not there")

    def move(self, path: Path, name: str) -> None:
        if self._find(path) is None:
            raise DoorError(f"{path} is not there")
        if isinstance(there := self._find(path.with_name(name)), _Directory) and there.names:
            raise DoorError(f"{path.with_name(name)} is not empty")

        def moved(names: dict[str, _Node]) -> None:
            if path.name in names:
                names[name] = names.pop(path.name)

        self._change(path, moved)

    def remove(self, path: Path) -> None:
        if self._find(path) is not None:
            self._change(path, lambda names: names.pop(path.name, None))

    def remove_tree(self, path: Path) -> None:
        found = self._find(path)
        if isinstance(found, _Directory):
            for name in tuple(found.names):
                inner = path / name
                self.remove_tree(inner) if isinstance(found.names[name], _Directory) else self.remove(inner)
            self.remove(path)

    def free(self, path: Path) -> int:
        del path
        return self.room

    def settle(self) -> None:
        """All is on disk now."""
        self._all(self._top)

    def after_the_cut(self, chance: random.Random) -> None:
        """What a boot finds; the next cut is not foreseen yet."""
        self._survive(self._top, chance)
        self.fails_at = None

    def materialise(self, place: Path) -> None:
        """Put what is there onto the real disk, below `place`."""
        _materialise(self._top, place)

    def _change(self, path: Path, change: Callable[[dict[str, _Node]], object]) -> None:
        self._step()
        parent = self._find(path.parent)
        if not isinstance(parent, _Directory):
            raise DoorError(f"there is no directory {path.parent}")
        change(parent.names)
        parent.pending.append(change)  # type: ignore[arg-type]

    def _step(self) -> None:
        if self.fails_at is not None and self.steps >= self.fails_at:
            raise PowerLoss
        self.steps += 1

    def _find(self, path: Path) -> _Node | None:
        found: _Node | None = self._top
        for part in path.relative_to(self._root).parts:
            found = found.names.get(part) if isinstance(found, _Directory) else None
        return found

    def _all(self, node: _Node) -> None:
        if isinstance(node, _File):
            node.durable = node.content
        elif isinstance(node, _Directory):
            node.durable = dict(node.names)
            node.pending.clear()
            for inner in node.names.values():
                self._all(inner)

    def _survive(self, node: _Node, chance: random.Random) -> None:
        if isinstance(node, _File) and node.durable != node.content:
            part = node.content[: chance.randrange(len(node.content) + 1)]
            node.content = chance.choice((node.content, part, node.durable or b""))
        elif isinstance(node, _Directory):
            node.names = dict(node.durable)
            for change in node.pending:
                if chance.random() < 0.5:
                    change(node.names)
            for inner in node.names.values():
                self._survive(inner, chance)
            self._all(node)


def _materialise(node: _Node, place: Path) -> None:
    if isinstance(node, _File):
        place.write_bytes(node.content)
        place.chmod(node.mode)
    elif isinstance(node, _Link):
        place.symlink_to(node.target)
    else:
        place.mkdir(parents=True, exist_ok=True)
        for name, inner in node.names.items():
            _materialise(inner, place / name)
