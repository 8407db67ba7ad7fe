# SPDX-License-Identifier: Apache-2.0
"""Our firewall beside ESP in the kernel: one machine, a namespace in it, security associations made by hand.

It shows what the guard lets pass and what not, without IKE, and so in a minute.
"""

import asyncio
from collections.abc import Iterator

import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.ruleset import Ruleset, ruleset
from tests.lab.namespaces import Namespaces
from tests.lab.topology import Topology
from tests.unit.plan.plans import edge_plan
from tests.vm.guest import guest
from tests.vm.machine import Machine

pytestmark = pytest.mark.lab

_PLAN = edge_plan()
_FAR = ("10.255.0.21", "fd00:255::21")
_OWN = ("10.255.0.1", "fd00:255::1")
_AEAD = "aead 'rfc4106(gcm(aes))' 0x7474747474747474747474747474747474747474 128"
#: The edge is the machine itself, and what is behind the hub a namespace of it.
_BEGIN = """
ip netns add hub
ip link add up0 type veth peer name hub0 netns hub
ip link add orillo0 type dummy
ip link set orillo0 up
"""
_CLEAR = "net 10.0.0.0/8 or net fd00::/16"


def _end(at: str, link: str, tunnel: str, if_id: int, ours: str, theirs: str, way: tuple[int, int]) -> str:
    """The commands that make one end of the tunnel; `at` is in front of each."""
    esp = "proto esp reqid 1 mode tunnel"
    keyed = f"reqid 1 mode tunnel flag af-unspec if_id {if_id} {_AEAD}"
    lines = [
        "ip link set lo up",
        f"ip link set {link} up",
        f"ip address add {ours}/24 dev {link}",
        f"ip link add {tunnel} type xfrm if_id {if_id}",
        f"ip link set {tunnel} mtu 1400 up",
        f"ip xfrm state add src {ours} dst {theirs} proto esp spi {way[0]} {keyed}",
        f"ip xfrm state add src {theirs} dst {ours} proto esp spi {way[1]} {keyed}",
    ]
    for selector in ("src 0.0.0.0/0 dst 0.0.0.0/0", "src ::/0 dst ::/0"):
        for direction, source, target in (("out", ours, theirs), ("in", theirs, ours), ("fwd", theirs, ours)):
            template = f"tmpl src {source} dst {target} {esp}"
            lines.append(f"ip xfrm policy add {selector} dir {direction} if_id {if_id} {template}")
    return "\n".join(f"{at} {line}" for line in lines)


def _addresses(at: str, device: str, own: tuple[str, str], far: tuple[str, str], tunnel: str) -> str:
    v4, v6 = own
    return "\n".join(
        f"{at} {line}"
        for line in (
            f"ip address add {v4}/32 dev {device}",
            f"ip address add {v6}/128 dev {device} nodad",
            f"ip route add {far[0]} dev {tunnel} src {v4}",
            f"ip route add {far[1]} dev {tunnel} src {v6}",
        )
    )


@pytest.fixture(scope="module")
def machine(ground: Namespaces) -> Iterator[Machine]:
    ground.build(Topology((), ()))
    found = Machine("edge", guest("amd64"), ground.add("vm"), ground.workdir / "edge")
    found.power_on()
    try:
        found.wait(600)
        found.script(_both_ends())
        yield found
    finally:
        found.power_off()


def _both_ends() -> str:
    hub = "ip netns exec hub"
    return "\n".join(
        (
            _BEGIN,
            _end("", "up0", "orillo-hub1", 7411, "192.0.2.1", "192.0.2.2", (4097, 4098)),
            _end(hub, "hub0", "orillo-edges", 7410, "192.0.2.2", "192.0.2.1", (4098, 4097)),
            _addresses("", "orillo0", _OWN, _FAR, "orillo-hub1"),
            _addresses(hub, "lo", _FAR, _OWN, "orillo-edges"),
            f"{hub} tcpdump -U -i hub0 -w /run/hub0.pcap '{_CLEAR} or esp' >/run/tcpdump.log 2>&1 &",
            "until grep -q listening /run/tcpdump.log; do sleep 0.2; done",
        )
    )


def load(machine: Machine, wanted: Ruleset) -> None:
    """Load it with the product's own door, whose commands run in the machine."""

    async def run(*argv: str, input: bytes = b"", timeout: float = 10.0) -> bytes:  # noqa: A002
        done = machine.call(*argv, feed=input.decode(), timeout=60 + timeout)
        if not done.ok:
            raise DoorError(done.text)
        return done.out.encode()

    asyncio.run(NftTable(run).replace(wanted))


def reaches(machine: Machine) -> list[bool]:
    """Whether the far end answers, in both families."""
    return [machine.call("ping", "-n", "-q", "-c", "2", "-i", "0.3", "-W", "2", far).ok for far in _FAR]


def seen(machine: Machine, expression: str) -> int:
    """How many such packets were on the wire between the two."""
    return len(machine.run("tcpdump", "-nn", "-r", "/run/hub0.pcap", expression).splitlines())


def wanted() -> Ruleset:
    return firewall(_PLAN, Facts(ipsec=Ipsec.KERNEL, hub="connector-1"))


def test_what_the_kernel_will_encrypt_passes_the_guard(machine: Machine) -> None:
    """And did not with a guard that looked at the link alone: within the XFRM interface it is the uplink."""
    rules = wanted()
    blind = ruleset((rules.base or "").replace(" rt ipsec missing", ""), rules.elements)
    load(machine, blind)
    assert reaches(machine) == [False, False]
    load(machine, rules)
    assert reaches(machine) == [True, True]
    assert seen(machine, "esp") >= 8
    assert seen(machine, _CLEAR) == 0


def test_nothing_leaves_in_clear(machine: Machine) -> None:
    """Not without SAs, and not by a route that somebody else made past the tunnel."""
    machine.script("ip xfrm state flush")
    assert reaches(machine) == [False, False]
    machine.script(
        "ip link delete orillo-hub1\n"
        f"ip route replace {_FAR[0]} via 192.0.2.2 src {_OWN[0]}\n"
        f"ip route replace {_FAR[1]} dev up0 src {_OWN[1]}"
    )
    assert reaches(machine) == [False, False]
    assert seen(machine, _CLEAR) == 0
    # The control: without our table the very same packets are seen in clear.
    machine.script("nft delete table inet orillo")
    reaches(machine)
    assert seen(machine, _CLEAR) > 0
