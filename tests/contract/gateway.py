# SPDX-License-Identifier: Apache-2.0
"""A gateway in the calling thread's own namespace, with neighbours on links of any name.

The neighbours are named namespaces, so that programs can be started in them; they go with the context.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tests.contract.namespace import ip, own_namespace
from tests.lab.wait import until

PORT = 8080

_FORWARD = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

_SERVER = """
import socket, sys
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    connection, (address, *_) = listener.accept()
    mss = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    connection.sendall(f"{sys.argv[2]} {address.removeprefix('::ffff:')} {mss}".encode())
    connection.close()
"""

_CLIENT = """
import errno, socket, sys
source = (sys.argv[3], 0) if len(sys.argv) > 3 else None
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.6, source) as connection:
        print(connection.recv(100).decode())
except TimeoutError:
    print("silence")
except OSError as error:
    print(errno.errorcode[error.errno])
"""

_MAC = "02:00:00:00:00:01"


@dataclass
class Neighbour:
    """A namespace behind a link of the gateway's; `server` answers with its name and the client's address."""

    name: str
    namespace: str
    prefix: tuple[str, ...]

    def run(self, *argv: str) -> str:
        """A program in the neighbour's namespace; its output."""
        return subprocess.run((*self.prefix, *argv), check=True, capture_output=True, text=True).stdout

    def connect(self, address: str, port: int = PORT, source: str | None = None) -> str:
        """What the server at `address` said: name, client and MSS; or "silence"; or the name of an errno."""
        argv = (sys.executable, "-c", _CLIENT, address, str(port), *((source,) if source else ()))
        return self.run(*argv).strip()


@dataclass
class Gateway:
    """The neighbours by name."""

    neighbours: dict[str, Neighbour] = field(default_factory=dict)

    def connect(self, address: str, port: int = PORT) -> str:
        """As a neighbour's, from the gateway itself."""
        return Neighbour("gateway", "", ()).connect(address, port)

    def seen(self, name: str) -> int:
        """How many packets to 10.200.0.0/16 the neighbour has seen, whoever they were for."""
        words = self.neighbours[name].run("nft", "list", "chain", "inet", "seen", "arriving").split()
        return int(words[words.index("packets") + 1])


@contextmanager
def gateway() -> Iterator[Gateway]:
    """An empty gateway that forwards both families."""
    with own_namespace(), ExitStack() as stack:
        site = Gateway()
        stack.callback(_remove, site)
        subprocess.run(
            ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"], check=True
        )
        yield site


def add(
    site: Gateway, name: str, link: str, gate: tuple[str, str], own: tuple[str, ...], bridge: str = ""
) -> None:
    """Put a neighbour behind `link`, with its addresses and a server.

    `gate` are the gateway's addresses there, v4 and v6, with lengths; `own[0]` and `own[1]` are the
    neighbour's on that link, more of them stand on its loopback.
    """
    namespace = f"orfw{os.getpid()}-{name}"
    ip(f"netns add {namespace}")
    site.neighbours[name] = Neighbour(name, namespace, ("ip", "netns", "exec", namespace))
    # Both ends have one hardware address and ask for none, as on a tunnel, where there is nobody else.
    alike = "" if bridge else f"address {_MAC} arp off "
    ip(f"link add {link} {alike}type veth peer name eth0 {alike}netns {namespace}")
    if bridge:
        # As the bridge plug-in sets a pod's port: with br_netfilter, a pod reaches itself through a service
        # only so.
        ip(f"link set {link} master {bridge}")
        ip(f"link set {link} type bridge_slave hairpin on")
    else:
        _address(link, gate)
    ip(f"link set {link} up")
    inside = [f"addr add {own[0]} dev eth0", f"addr add {own[1]} dev eth0 nodad"]
    inside += [f"addr add {address} dev lo{' nodad' if ':' in address else ''}" for address in own[2:]]
    inside += ["link set lo up", "link set eth0 up"]
    inside += [f"route add default via {address.partition('/')[0]}" for address in gate]
    subprocess.run(["ip", "-n", namespace, "-batch", "-"], input="\n".join(inside), check=True, text=True)
    site.neighbours[name].run(
        "nft",
        "table inet seen { chain arriving { type filter hook prerouting priority -400; "
        "ip daddr 10.200.0.0/16 counter; }; }",
    )


def add_bridge(name: str, addresses: tuple[str, str]) -> None:
    """A bridge of the gateway's."""
    ip(f"link add {name} type bridge")
    ip(f"link set {name} up")
    _address(name, addresses)


def settle() -> None:
    """Wait until the gateway's link-local addresses are checked: before, it asks for no neighbour."""
    until(lambda: not ip("-6 addr show tentative"), "no tentative address is left", 10)


@contextmanager
def serving(*neighbours: Neighbour) -> Iterator[None]:
    """A server in each of the neighbours' namespaces, ready."""
    with ExitStack() as stack:
        for neighbour in neighbours:
            argv = (*neighbour.prefix, sys.executable, "-c", _SERVER, str(PORT), neighbour.name)
            server = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield


def _address(link: str, addresses: tuple[str, str]) -> None:
    ip(f"addr add {addresses[0]} dev {link}")
    ip(f"addr add {addresses[1]} dev {link} nodad")


def _remove(site: Gateway) -> None:
    for neighbour in site.neighbours.values():
        ip(f"netns del {neighbour.namespace}")
