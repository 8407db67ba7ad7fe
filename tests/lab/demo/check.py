# SPDX-License-Identifier: Apache-2.0
"""What a check is: a function of the running demo that returns a sentence with figures, or fails."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.lab.demo.world import World
from tests.lab.pods import Pod, version_of
from tests.lab.topology import Address


class CheckFailedError(Exception):
    """The product broke its promise; the text says in what."""


@dataclass(frozen=True)
class Check:
    """One row of the table. `run` returns what was seen; it raises `CheckFailedError` otherwise."""

    id: str
    run: Callable[[World], str]


def expect(holds: bool, otherwise: str) -> None:
    """Fail the check with this sentence unless `holds`."""
    if not holds:
        raise CheckFailedError(otherwise)


def expect_reach(source: Pod, target: Pod) -> str:
    """Echo and HTTP by both families; returns how it went in a few words."""
    for address in target.addresses:
        expect(source.ping(address), f"{source.name} gets no echo from {target.name} at {address}")
        answer = source.who_answers(address)
        expect(answer == target.name, f"{source.name} asked {address} and got {answer or 'no answer'}")
    return f"{source.name} → {target.name} {families(target.addresses)}"


def expect_no_reach(source: Pod, target: Pod) -> str:
    """Neither echo nor HTTP, by either family."""
    for address in target.addresses:
        expect(not source.ping(address, count=2), f"{source.name} reaches {target.name} at {address}")
        answer = source.who_answers(address)
        expect(not answer, f"{source.name} asked {address} and {answer} answered")
    return f"{source.name} ↛ {target.name} {families(target.addresses)}"


def families(addresses: Iterable[Address]) -> str:
    """`v4, v6`."""
    return ", ".join(version_of(address) for address in addresses)
