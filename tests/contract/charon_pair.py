# SPDX-License-Identifier: Apache-2.0
"""An edge's charon and a hub's: both fake, or both real in two namespaces with a cable between them."""

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from msgspec import structs

from appliance.netcore.charon.door import Charon
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.strongswan import strongswan_conf
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Peer, Plan, Tunnel
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import Ipsec
from tests.fakes.certificates import Authority, Device
from tests.fakes.charon import FakeCharon, Wire
from tests.unit.plan.plans import edge_plan

EDGE_HOST, HUB_HOST = "192.0.2.1", "192.0.2.2"
EDGE_OVERLAY, HUB_OVERLAY = ip_address("10.255.0.1"), ip_address("10.255.0.11")
HUB = "connector-1"
_CLONE_NEWNET = 0x40000000
_CHARON = "/usr/lib/ipsec/charon"


@dataclass(frozen=True)
class End:
    """One side: its plan, what it sees of its box, its certificate, its charon, and that one's settings."""

    plan: Plan
    facts: Facts
    device: Device
    charon: Charon
    conf: Path | None = None


@dataclass(frozen=True)
class Pair:
    """Both sides, and the namespace of each where there is one."""

    edge: End
    hub: End
    kill_hub: Callable[[], None]
    start_hub: Callable[[], None]
    edge_namespace: str = ""


def plans(ca: str) -> tuple[Plan, Plan]:
    """An edge with one hub, and that hub."""
    whole = edge_plan()
    trust = structs.replace(whole.trust, ca=(ca,))
    tunnel = Tunnel(retransmit_timeout=0.3, retransmit_tries=2, probe_interval=1.0)
    hub_peer = structs.replace(whole.peers[HUB], addresses=(HUB_HOST,), overlay=(HUB_OVERLAY,), priority=10)
    edge = structs.replace(
        whole,
        overlay=(EDGE_OVERLAY,),
        trust=trust,
        tunnel=tunnel,
        peers={HUB: hub_peer},
        services={},
        policy={},
    )
    edge_peer = Peer(
        role=Role.EDGE, ike_id=edge.identity.ike_id, overlay=edge.overlay, prefixes=edge.prefixes
    )
    hub = structs.replace(
        edge,
        identity=Identity(cluster="lab", name=HUB, instance=hub_peer.ike_id.partition(".")[0]),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        overlay=hub_peer.overlay,
        prefixes=hub_peer.prefixes,
        peers={edge.identity.name: edge_peer},
    )
    return edge, hub


@contextmanager
def fake_pair(directory: Path) -> Iterator[Pair]:
    wire = Wire()
    edge, hub = FakeCharon(wire, EDGE_HOST), FakeCharon(wire, HUB_HOST)
    yield Pair(*_ends(directory, edge, hub), kill_hub=hub.kill, start_hub=hub.start)


@contextmanager
def real_pair(directory: Path) -> Iterator[Pair]:
    """Two namespaces, a cable, overlay addresses, and a charon in each; all gone afterwards."""
    edge, hub = (f"orch{os.getpid() % 10000}{side}" for side in "eh")
    with ExitStack() as stack:
        for name in (edge, hub):
            _ip(f"netns add {name}")
            stack.callback(_ip, f"netns del {name}")
            _ip(f"-n {name} link set lo up")
        _ip(f"link add cable netns {edge} type veth peer name cable netns {hub}")
        for name, host, overlay in ((edge, EDGE_HOST, EDGE_OVERLAY), (hub, HUB_HOST, HUB_OVERLAY)):
            _ip(f"-n {name} addr add {host}/24 dev cable")
            _ip(f"-n {name} link set cable up")
            _ip(f"-n {name} addr add {overlay}/32 dev lo")
            _ip(f"-n {name} addr add fd00:255::f/128 dev lo nodad")
        # libipsec refuses a selector in which it finds no address of its own (LAB.md).
        for prefix in plans("")[0].prefixes:
            _ip(f"-n {edge} addr add {prefix.network_address}/{prefix.max_prefixlen} dev lo")
        daemons = [_Daemon(name, directory / name) for name in (edge, hub)]
        for daemon in daemons:
            stack.callback(daemon.kill)
            daemon.start()
        made = _ends(directory, *(Charon(daemon.socket) for daemon in daemons))
        edge_end, hub_end = (replace(end, conf=d.conf) for end, d in zip(made, daemons, strict=True))
        yield Pair(edge_end, hub_end, daemons[1].kill, daemons[1].start, edge_namespace=edge)


def _ends(directory: Path, edge: Charon, hub: Charon) -> tuple[End, End]:
    authority = Authority()
    edge_plan_, hub_plan = plans(authority.pem)
    facts = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", sources={HUB: ip_address(EDGE_HOST)})
    return (
        End(edge_plan_, facts, authority.issue(edge_plan_.identity, directory), edge),
        End(hub_plan, facts, authority.issue(hub_plan.identity, directory), hub),
    )


@dataclass
class _Daemon:
    """A real charon in a namespace, with a run directory of its own."""

    namespace: str
    directory: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return self.directory / "run/charon.vici"

    @property
    def conf(self) -> Path:
        return self.directory / "strongswan.conf"

    def start(self) -> None:
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(strongswan_conf(plans("")[0].tunnel, Ipsec.LIBIPSEC))
        start = f"mount --bind {self.socket.parent} /run && exec env STRONGSWAN_CONF={self.conf} {_CHARON}"
        with (self.directory / "log").open("ab") as log:
            command = ["ip", "netns", "exec", self.namespace, "sh", "-c", start]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        _wait_for(self.socket, self.process)
        other = HUB_OVERLAY if self.namespace.endswith("e") else EDGE_OVERLAY
        _ip(f"-n {self.namespace} route replace {other}/32 dev ipsec0")

    def kill(self) -> None:
        """SIGKILL: its peers are told nothing. What it leaves behind is removed for the next one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
        for left in ("charon.vici", "charon.pid"):
            (self.socket.parent / left).unlink(missing_ok=True)


def _wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while not socket.is_socket():
        assert process.poll() is None, "charon ended at its start"
        assert time.monotonic() < deadline, "charon made no socket"
        time.sleep(0.02)


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that are opened in here belong to that namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    away = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        assert libc.setns(away, _CLONE_NEWNET) == 0
        yield
    finally:
        assert libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(away)
