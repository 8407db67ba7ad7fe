# SPDX-License-Identifier: Apache-2.0
"""The service by its cluster name: the nearest backend answers, and the next one when that is dead."""

import time
from functools import partial

from tests.lab.demo.check import expect
from tests.lab.demo.topology import SERVICE_NAME, SERVICE_PORT
from tests.lab.demo.world import World
from tests.lab.wait import until

LOCAL, REMOTE = "shop1-web", "cloud"
_TRIES = 10
#: The promise for spill-over, in seconds.
_SPILL = 5.0
_FAMILIES = (4, 6)


def service_nearest(world: World) -> str:
    """shop1's pod gets shop1's backend, every time; the depot's gets the cloud's."""
    for family in _FAMILIES:
        until(partial(_answers, world, LOCAL, family), f"{LOCAL} answers by IPv{family}", 10, 0.2)
        answers = {_answer(world, family) for _ in range(_TRIES)}
        expect(answers == {LOCAL}, f"by IPv{family} also {', '.join(sorted(answers - {LOCAL})) or 'nobody'}")
    far = world.pods["depot"].who_answers(SERVICE_NAME, SERVICE_PORT, 4)
    expect(far == REMOTE, f"the depot gets {far or 'no answer'} instead of {REMOTE}")
    return f"{SERVICE_NAME}: shop1 gets {LOCAL} {_TRIES}/{_TRIES} by v4 and v6, depot gets {far}"


def service_spill(world: World) -> str:
    """shop1's backend dies and comes back."""
    until(partial(_answers, world, LOCAL, 4), f"{LOCAL} answers before the check", 10, 0.2)
    backend = world.pods[LOCAL]
    backend.die()
    try:
        spilled = _time_until(world, REMOTE)
    finally:
        backend.serve()
    returned = _time_until(world, LOCAL)
    return f"{LOCAL} died: {REMOTE} answers after {spilled:.1f} s; alive again: local after {returned:.1f} s"


def _time_until(world: World, backend: str) -> float:
    """Seconds until this backend answers by both families."""
    start = time.monotonic()
    for family in _FAMILIES:
        what = f"{backend} answers by IPv{family}"
        until(partial(_answers, world, backend, family), what, _SPILL, 0.1)
    return time.monotonic() - start


def _answer(world: World, family: int) -> str:
    return world.pods["shop1"].who_answers(SERVICE_NAME, SERVICE_PORT, family)


def _answers(world: World, backend: str, family: int) -> bool:
    return _answer(world, family) == backend
