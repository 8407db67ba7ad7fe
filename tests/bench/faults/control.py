# SPDX-License-Identifier: Apache-2.0
"""Faults on the way to the control endpoint."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.faults.fault import ROUTER, Fault, Inject, both, router_drops, ruleset
from tests.lab.command import run
from tests.lab.demo.world import World
from tests.lab.process import Process
from tests.lab.wait import until

_SERVER = Path(__file__).with_name("pretender.py")
_PORTS = {"portal": 8081, "proxy": 8082, "tls": 8083}


@contextmanager
def operator_stopped(world: World) -> Iterator[None]:
    """`orillo-cloud serve` ends; its host is still there."""
    world.operator.stop()
    try:
        yield
    finally:
        world.operator.start()


def pretender(kind: str, *ports: int) -> Inject:
    """A server on the router that gets what was meant for these TCP ports of the control endpoint."""
    port = _PORTS[kind]
    wanted = ", ".join(map(str, ports))
    divert = ruleset(
        ROUTER,
        "ip",
        "chain divert { type nat hook prerouting priority -110; "
        f'iifname "lan" tcp dport {{ {wanted} }} redirect to :{port}; }}\n',
    )

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        directory = world.workdir / "pretender"
        directory.mkdir(exist_ok=True)
        if kind == "tls":
            _make_certificate(directory)
        command = (sys.executable, str(_SERVER), kind, str(port), str(directory))
        server = Process(command, directory / f"{kind}.log", ns=world.namespaces.name(ROUTER))
        try:
            until(lambda: "ready" in server.output(), f"the pretended {kind}", 10)
            with divert(world):
                yield
        finally:
            server.kill()

    return inject


def _make_certificate(directory: Path) -> None:
    files = ("-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("openssl", "req", "-x509", *kind, "-subj", "/O=Inspector Inc/CN=203.0.113.10", *files)


CONTROL = (
    Fault("operator-down", "orillo-cloud serve is stopped", "control-refused", operator_stopped),
    Fault("443-blocked", "the router drops TCP 443", "control-silent", router_drops("tcp dport 443")),
    Fault(
        "captive-portal",
        "the router answers TCP 80 and 443 with a login page, and drops UDP 500 and 4500",
        "captive-portal",
        both(pretender("portal", 80, 443), router_drops("udp dport { 500, 4500 }")),
    ),
    Fault(
        "proxy",
        "TCP 443 ends at a web proxy that wants a password (407)",
        "proxy-in-the-way",
        pretender("proxy", 443),
    ),
    Fault(
        "tls-inspection",
        "TCP 443 ends at a server with another CA's certificate",
        "tls-intercepted",
        pretender("tls", 443),
    ),
)
