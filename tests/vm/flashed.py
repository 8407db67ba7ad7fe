# SPDX-License-Identifier: Apache-2.0
"""The world of `world.py` with flashed cards in place of machines: the connector's is an image too.

Each is looked at while it has no token, is given one at its console, and starts to work by itself.
"""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from tests.lab.namespaces import Namespaces
from tests.lab.residue import HostState, look
from tests.vm.card import ARCHITECTURE, Card
from tests.vm.world import EDGES, HUB, INTERNET, Box, World, around, place

_UNITS = ("orillo.service", "orillo-charon.service", "orillo-dns.service")
# An image has no sysctl(8); as that writes it.
_SETTINGS = """
cd /proc/sys
grep -rs . net/ipv4 net/ipv6 |
awk '{ at = index($0, ":"); key = substr($0, 1, at - 1); gsub("/", ".", key)
       print key " = " substr($0, at + 1) }'
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CardBox(Box):
    """A card with the appliance on it, as it was flashed."""

    machine: Card

    def status(self) -> dict[str, Any]:
        return self.machine.status()

    def state(self) -> HostState:
        return look("", self._ask)

    def _ask(self, *argv: str, ns: str) -> str:
        assert not ns
        return self.machine.script(_SETTINGS) if argv == ("sysctl", "-a") else self.machine.run(*argv)


def build(namespaces: Namespaces, image: Path) -> World:
    """Everything up to every card enrolled."""
    started = time.monotonic()
    operator, wire = around(namespaces)
    cards = {name: _card(namespaces, image, name) for name in (HUB, *EDGES)}
    world = World(namespaces, operator, wire, {name: CardBox(card) for name, card in cards.items()})
    try:
        for card in cards.values():
            card.power_on()
        with ThreadPoolExecutor(len(cards)) as workers:
            list(workers.map(lambda card: _join(world, card), cards.values()))
    except BaseException:
        world.end()
        raise
    log.info("%d cards up and enrolled in %.0f s", len(cards), time.monotonic() - started)
    return world


def _card(namespaces: Namespaces, image: Path, name: str) -> Card:
    nic, address, gateway = place(name)
    card = Card(name, ARCHITECTURE, image, namespaces.name(INTERNET), namespaces.workdir / name, nic)
    card.flash()
    card.configure(_told(name, address, gateway))
    return card


def _told(name: str, address: IPv4Interface, gateway: IPv4Address) -> str:
    uplink = f'[[uplink]]\nlink = "eth0"\naddress = ["{address}"]\ngateway = ["{gateway}"]\n'
    return f'name = "{name}"\n{uplink}'


def _join(world: World, card: Card) -> None:
    card.log_in()
    # charon has a rule of its own as long as it runs.
    card.run("systemctl", "stop", *_UNITS)
    world.before[card.name] = world.boxes[card.name].state()
    card.run("systemctl", "start", *_UNITS)
    card.enroll(world.operator.token(card.name))
