# SPDX-License-Identifier: Apache-2.0
"""What charon proves itself with, and whom it believes. Pure: the key is a path, never its content."""

from dataclasses import dataclass
from pathlib import Path

from appliance.netcore.plan.model import Plan

#: All credentials are one object: charon can only forget them all at once.
KEY = "ike"


@dataclass(frozen=True)
class Credentials:
    """CA certificates and our own leaf, in PEM, and where the leaf's private key is."""

    ca: tuple[str, ...]
    leaf: str
    key: Path


def credentials(plan: Plan, leaf: str, key: Path) -> dict[str, Credentials]:
    """The one object of the credential table."""
    foreign = (pem for peer in plan.peers.values() for pem in peer.ca)
    return {KEY: Credentials(tuple(dict.fromkeys((*plan.trust.ca, *foreign))), leaf, key)}
