# SPDX-License-Identifier: Apache-2.0
"""Faults on the way to the control endpoint."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.netcore.plan.identity import Identity
from tests.bench.faults.box import ca_of, kept
from tests.bench.faults.fault import EDGE, ROUTER, Fault, Inject, both, router_drops, ruleset
from tests.fakes.certificates import Authority
from tests.lab.command import run
from tests.lab.demo.topology import PUBLIC
from tests.lab.demo.world import World
from tests.lab.process import Process
from tests.lab.wait import until

_SERVER = Path(__file__).with_name("pretender.py")
_PORTS = {"portal": 8081, "proxy": 8082, "tls": 8083, "old": 8084, "ill": 8085, "ssh": 8086, "dns": 8087}


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
        f'iifname "lan" {"udp" if kind == "dns" else "tcp"} dport {{ {wanted} }} redirect to :{port}; }}\n',
    )

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        directory = world.workdir / "pretender"
        directory.mkdir(exist_ok=True)
        if kind == "tls":
            _make_certificate(directory)
        if kind in ("old", "ill"):
            _of_our_ca(world, directory, timedelta(days=-1 if kind == "old" else 1))
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


def _of_our_ca(world: World, directory: Path, ends: timedelta) -> None:
    """A certificate such as the operator's own, which ends at another time."""
    authority, issuer = ca_of(world)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operator")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(PUBLIC["operator"])]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
        .sign(authority, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def control_at(host: str) -> Inject:
    """The control endpoint's address on disk is another one."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        trust = world.devices[EDGE].state / "identity/trust.json"
        with kept(trust):
            stored = json.loads(trust.read_text())
            trust.write_text(json.dumps(stored | {"control_url": f"https://{host}:443"}))
            yield

    return inject


@contextmanager
def certificate_of_a_stranger(world: World) -> Iterator[None]:
    """Key and certificate fit each other, and come from another CA."""
    identity = world.devices[EDGE].state / "identity"
    stranger = Authority("stranger").issue(Identity("demo", EDGE, "0badcafe"), world.workdir)
    with kept(identity / "cert.pem", identity / "key.pem"):
        (identity / "cert.pem").write_bytes(stranger.certificate.read_bytes())
        (identity / "key.pem").write_bytes(stranger.key.read_bytes())
        yield


@contextmanager
def revoked(world: World) -> Iterator[None]:
    """The operator takes the identity away; afterwards the device is enrolled anew."""
    device = world.devices[EDGE]
    world.operator.must("device", "revoke", EDGE)
    try:
        yield
    finally:
        device.enroll(world.operator.token(EDGE))


def _noticed(world: World) -> bool:
    return "revoked" in world.devices[EDGE].status().get("control", {}).get("error", "")


_ELSEWHERE = ruleset(
    ROUTER,
    "ip",
    "chain divert { type nat hook prerouting priority -110; "
    f'iifname "lan" ip daddr 203.0.113.99 dnat to {PUBLIC["operator"]}; }}\n',
)

CONTROL = (
    Fault(
        "name-unknown",
        "the control endpoint has a name that nobody resolves",
        "control-name-unknown",
        control_at("operator.example.org"),
    ),
    Fault(
        "certificate-name",
        "the operator is reached under an address that its certificate has not",
        "control-certificate-name",
        both(control_at("203.0.113.99"), _ELSEWHERE),
    ),
    Fault(
        "certificate-old",
        "TCP 443 ends at a server whose certificate, of our CA, ended yesterday",
        "control-certificate-expired",
        pretender("old", 443),
    ),
    Fault(
        "operator-ill",
        "TCP 443 ends at a server with a good certificate that answers 500",
        "control-failing",
        pretender("ill", 443),
    ),
    Fault("not-tls", "TCP 443 ends at an SSH server", "control-not-tls", pretender("ssh", 443)),
    Fault(
        "not-accepted-here",
        "certificate and key are of another CA",
        "identity-rejected",
        certificate_of_a_stranger,
    ),
    Fault("revoked", "the operator revokes this device", "identity-revoked", revoked, _noticed),
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
