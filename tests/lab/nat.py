# SPDX-License-Identifier: Apache-2.0
"""Routers that translate addresses, in nftables, each kind of them."""

from tests.lab.command import run
from tests.lab.topology import Nat, NatKind

_FLAGS = {
    NatKind.MASQUERADE: "",
    NatKind.RANDOM: " random",
    NatKind.FULLY_RANDOM: " fully-random",
    NatKind.PERSISTENT: " persistent",
}


def rules(nat: Nat) -> str:
    """The router's ruleset."""
    return f"""
table ip lab-nat {{
    chain out {{
        type nat hook postrouting priority srcnat;
        oifname "{nat.outside}" masquerade{_FLAGS[nat.kind]}
    }}
}}
"""


def apply(namespace: str, nat: Nat) -> None:
    """Make a host translate. `NatKind.NONE` makes no rule."""
    if nat.kind is not NatKind.NONE:
        run("nft", "-f", "-", ns=namespace, feed=rules(nat))


def forget_mappings(namespace: str) -> None:
    """Drop every mapping, as a router does that restarts: the next packet may get another port."""
    run("conntrack", "-F", ns=namespace)


def change_mappings(namespace: str, nat: Nat, first: int, last: int) -> None:
    """Translate to other ports from now on, and forget all mappings: nobody's port is what it was."""
    table = f"""
table ip lab-nat {{
    chain out {{
        meta l4proto {{ tcp, udp }} oifname "{nat.outside}" masquerade to :{first}-{last}
        oifname "{nat.outside}" masquerade
    }}
}}
"""
    run("nft", "-f", "-", ns=namespace, feed=f"flush chain ip lab-nat out\n{table}")
    forget_mappings(namespace)
