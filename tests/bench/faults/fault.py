# SPDX-License-Identifier: Apache-2.0
"""A fault as data: what is done to the lab, and what `orillo doctor` has to name first."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.lab.command import run
from tests.lab.demo.world import World

#: The edge that everything is done to, behind a router of its own.
EDGE, ROUTER = "shop1", "router-shop1"

Inject = Callable[[World], AbstractContextManager[None]]
Settled = Callable[[World], bool]


@dataclass(frozen=True)
class Fault:
    """`how` is the injection in words. `settled`, where there is one, says that its effect is there.

    `mounts` are put over files of the host for the doctor alone: (what, where), and `env` is added to its
    environment. `fresh` runs it on an empty root.
    """

    name: str
    how: str
    expect: str
    inject: Inject
    settled: Settled | None = None
    mounts: tuple[tuple[str, str], ...] = ()
    fresh: bool = False
    env: tuple[tuple[str, str], ...] = ()


@contextmanager
def nothing(_world: World) -> Iterator[None]:
    """For faults that are only made for the doctor."""
    yield


def both(one: Inject, other: Inject) -> Inject:
    """Two faults at once."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        with one(world), other(world):
            yield

    return inject


def commands(host: str, do: tuple[str, ...], undo: tuple[str, ...]) -> Inject:
    """Commands on a host, and those that take them back."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        ns = world.namespaces.name(host)
        try:
            for command in do:
                run(*command.split(), ns=ns)
            yield
        finally:
            for command in undo:
                run(*command.split(), ns=ns)

    return inject


def ruleset(host: str, family: str, text: str) -> Inject:
    """An nftables table on a host; `text` is what stands between its braces."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        ns = world.namespaces.name(host)
        run("nft", "-f", "-", ns=ns, feed=f"table {family} lab-fault {{\n{text}\n}}\n")
        try:
            yield
        finally:
            run("nft", "delete", "table", family, "lab-fault", ns=ns)

    return inject


def router_drops(*rules: str) -> Inject:
    """The site's router drops what matches one of these."""
    body = "\n".join(f"{rule} drop" for rule in rules)
    return ruleset(ROUTER, "inet", f"chain way {{ type filter hook forward priority -10; {body}\n }}")


def tunnels_down(world: World) -> bool:
    """The agent has seen that no tunnel carries anything, and charon has said why, where it knows."""
    tunnels = world.devices[EDGE].status().get("tunnels", {})
    return bool(tunnels) and not any(tunnel["up"] for tunnel in tunnels.values())
