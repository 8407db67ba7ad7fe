# SPDX-License-Identifier: Apache-2.0
"""The strongswan.conf of our own charon, as strongswan.conf(5) has the names.

charon runs with our run directory bound over /run in a mount namespace of its own, because its pid file's
path is compiled in. So the paths in here are as charon sees them.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan, Tunnel
from appliance.netcore.spec import CHARON_TABLE, Ipsec
from appliance.paths import Paths

#: The rule to charon's own table asks for this mark, which nobody sets. kernel-libipsec ignores
#: `install_routes`, and with an edge's selectors it would put a default route into the table.
NEVER_MARK = 0x00400000

#: Nothing more is loaded: most of strongSwan's vulnerabilities are in plug-ins that we don't need.
_PLUGINS = (
    "random",
    "nonce",
    "aes",
    "sha1",
    "sha2",
    "hmac",
    "kdf",
    "x509",
    "revocation",
    "constraints",
    "pubkey",
    "pkcs1",
    "pkcs8",
    "pem",
    "openssl",
    "gcm",
    "drbg",
    "socket-default",
    "kernel-netlink",
    "updown",
    "vici",
    "counters",
)
_LIBIPSEC = "kernel-libipsec"

#: Where charon, in its own mount namespace, makes its VICI socket.
VICI_SOCKET = "unix:///run/charon.vici"


def plugins(ipsec: Ipsec) -> tuple[str, ...]:
    """The plug-ins to load, in order: of two that offer ESP the first one gets it."""
    if ipsec is Ipsec.KERNEL:
        return _PLUGINS
    split = _PLUGINS.index("kernel-netlink")
    return (*_PLUGINS[:split], _LIBIPSEC, *_PLUGINS[split:])


def ipsec_of(loaded: Collection[str]) -> Ipsec:
    """How a charon with these plug-ins does ESP."""
    return Ipsec.LIBIPSEC if _LIBIPSEC in loaded else Ipsec.KERNEL


def strongswan_conf(tunnel: Tunnel, ipsec: Ipsec) -> str:
    """The whole file. Before the first plan the caller gives a default `Tunnel()`.

    Retransmission and ports are charon's, not a connection's: a plan that changes the ports needs a restart.
    """
    return "\n".join((*_charon(tunnel, ipsec), ""))


def _charon(tunnel: Tunnel, ipsec: Ipsec) -> Iterator[str]:
    settings: dict[str, str | int | float] = {
        "load_modular": "yes",
        "port": tunnel.ike_port,
        "port_nat_t": tunnel.natt_port,
        "retransmit_tries": tunnel.retransmit_tries,
        "retransmit_timeout": tunnel.retransmit_timeout,
        "retransmit_base": tunnel.retransmit_base,
        # The name of a hub that could not be resolved is tried again by our own initiations.
        "retry_initiate_interval": 0,
        "make_before_break": "yes",
        # A peer's last packets on the old SA still arrive; the default of 5 s delays the next rekey.
        "delete_rekeyed_delay": 1,
        # No: the IKE SA to a hub must stay warm while its children come and go.
        "close_ike_on_child_failure": "no",
        "keep_alive": "15s",
        "install_routes": "no",
        "routing_table": CHARON_TABLE,
        "routing_table_prio": CHARON_TABLE,
        "install_virtual_ip": "no",
    }
    yield "charon {"
    for name, value in settings.items():
        yield f"  {name} = {value}"
    # Level 0 tells of SAs that come and go. Level 1 has a line for every retransmission, all day long on a
    # site whose uplink is down; who initiates hears the reasons over VICI.
    yield from (
        "  filelog {",
        "    stderr {",
        "      default = 0",
        "      flush_line = yes",
        "    }",
        "  }",
        "  plugins {",
    )
    for plugin in plugins(ipsec):
        yield from _plugin(plugin)
    yield "  }"
    yield "}"


def _plugin(name: str) -> Iterator[str]:
    extra = {
        "vici": f"socket = {VICI_SOCKET}",
        "kernel-netlink": f"fwmark = {NEVER_MARK:#010x}",
    }
    yield f"    {name} {{"
    yield "      load = yes"
    if name in extra:
        yield f"      {extra[name]}"
    yield "    }"


def charon_files(plan: Plan, facts: Facts, paths: Paths) -> dict[Path, str]:
    """The file for a charon that runs; none while nobody knows how it does ESP."""
    if facts.ipsec is None:
        return {}
    return {paths.strongswan_conf: strongswan_conf(plan.tunnel, facts.ipsec)}
