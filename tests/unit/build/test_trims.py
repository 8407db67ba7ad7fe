# SPDX-License-Identifier: Apache-2.0
"""What is left out of modules of others is not missed."""

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

from orillo_build.trims import trimmed


def _lean() -> ModuleType:
    """The library's `dataclasses` as it is built."""
    made = ModuleType("dataclasses")
    source = trimmed("dataclasses", Path(dataclasses.__file__).read_text())
    exec(compile(source, "dataclasses.py", "exec"), made.__dict__)  # noqa: S102 -- of the library
    return made


def _told(module: Any) -> list[object]:
    """What classes of all the kinds that we make do, by that module."""

    class Point:
        x: int
        y: tuple[int, ...] = ()
        far: "Point | None" = module.field(default=None, repr=False, compare=False)
        seen: list[int] = module.field(default_factory=list, init=False, compare=False)

        @property
        def sum(self) -> int:
            return self.x

    class One:
        only: str = "a"

    class Nothing:
        """No field at all."""

    class Near(Point):
        z: int = 5

    point, one, nothing, near = (module.dataclass(kind, frozen=True) for kind in (Point, One, Nothing, Near))
    open_one = module.dataclass(type("Open", (), {"__annotations__": {"a": int, "b": int}}), order=True)
    slotted = module.dataclass(type("Slotted", (), {"__annotations__": {"a": int}}), slots=True)
    a, b = point(1, (2,)), point(1, (2,), far=point(9))
    told: list[object] = [
        repr(a), repr(one()), repr(nothing()), repr(near(3)), repr(open_one(1, 2)), repr(slotted(4)),
        a == b, a == point(2, (2,)), a == near(1, (2,)), a != 3, one() == one("a"), nothing() == nothing(),
        hash(a) == hash(b), hash(a) == hash(point(2)), len({a, b, point(7)}), hash(one()) == hash(one("a")),
        open_one(1, 2) < open_one(1, 3), open_one(1, 2) == open_one(1, 2), open_one.__hash__,
        module.replace(a, x=5) == point(5, (2,)), module.asdict(near(3)),
        [f.name for f in module.fields(near)],
        point.__match_args__, a.seen, hasattr(slotted(1), "__dict__"),
    ]  # fmt: skip
    for change in (
        lambda: setattr(a, "x", 2),
        lambda: delattr(a, "x"),
        lambda: setattr(near(1), "x", 2),
        lambda: point(),
        lambda: point(1, 2, 3, 4),
    ):
        try:
            change()
        except (AttributeError, TypeError) as error:
            told.append((type(error).__name__, str(error).replace("_told.<locals>.", "")))
    return told


def test_classes_of_a_build_do_what_the_librarys_do() -> None:
    assert _told(_lean()) == _told(dataclasses)
