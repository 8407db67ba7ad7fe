# SPDX-License-Identifier: Apache-2.0
"""A control endpoint that keeps state and refuses nonsense: both listeners, with real TLS on loopback.

`tests/contract/test_sync_endpoint.py` holds it to what the operator's own endpoint does.
"""

import asyncio
import base64
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.netcore.plan.exchange import (
    CA_CERTS_PATH,
    ENROLL_PATH,
    PLAN_NONE,
    PLAN_PATH,
    RENEW_PATH,
    REPORT_PATH,
    REVOKED,
    TOKEN_EXPIRED,
    TOKEN_UNKNOWN,
    TOKEN_USED,
    TRUST_PATH,
    Refusal,
    Report,
    TrustAnswer,
)
from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.signature import key_id, sign
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import decode, encode
from tests.unit.plan.plans import edge_plan

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLUSTER = "lab"
LIFE = timedelta(days=90)


class FakeCa:
    """A CA of its own, whose clock goes `ahead` of ours."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            self._builder(self.key.public_key(), self.name, LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def pin(self) -> str:
        return self.certificate.fingerprint(SHA256()).hex()

    def device(self, key: ec.EllipticCurvePublicKey, identity: Identity, life: timedelta) -> x509.Certificate:
        names = [
            x509.DNSName(identity.ike_id),
            x509.DNSName(identity.endpoint_name),
            x509.UniformResourceIdentifier(identity.uri),
        ]
        return self._leaf(key, identity.name, names, life)

    def server(self, host: str, life: timedelta = LIFE) -> bytes:
        """Key and certificate for a listener, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.IPAddress(ip_address(host))]
        certificate = self._leaf(key.public_key(), "fake", names, life)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + certificate.public_bytes(Encoding.PEM)

    def _leaf(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        names: list[x509.GeneralName],
        life: timedelta,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            self._builder(key, subject, life)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(authority, critical=False)
            .sign(self.key, SHA256())
        )

    def _builder(
        self, key: ec.EllipticCurvePublicKey, subject: x509.Name, life: timedelta
    ) -> x509.CertificateBuilder:
        end = datetime.now(UTC) + self.ahead + life
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - LIFE - timedelta(hours=1))
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


@dataclass
class TokenRecord:
    """A token as the endpoint keeps it."""

    secret: str
    name: str
    expires: datetime
    #: The public key (PEM) of who came in by it.
    used_by: bytes = b""


class RefusedError(Exception):
    """Ends a request."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class FakeControlEndpoint:
    """The endpoint and all it knows. `offered` are signed plans by device, `garbage` replaces one of them."""

    directory: Path
    host: str = "127.0.0.1"
    certified_for: str = "127.0.0.1"
    leaf_life: timedelta = LIFE
    server_life: timedelta = LIFE
    ca: FakeCa = field(default_factory=FakeCa)
    plan_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    tokens: dict[str, TokenRecord] = field(default_factory=dict)
    valid: dict[str, Identity] = field(default_factory=dict)
    offered: dict[str, bytes] = field(default_factory=dict)
    received: list[Report] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    enroll_port: int = 0
    control_port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _runners: list[web.AppRunner] = field(default_factory=list)

    # What a test does with it

    def token(self, name: str, life: timedelta = timedelta(hours=1), **changes: str) -> str:
        """The text of a new token; `changes` are fields of `Token` to be other than right."""
        made = Token(
            id=f"t{len(self.tokens)}",
            secret=secrets.token_hex(8),
            enroll_url=f"https://{self.host}:{self.enroll_port}",
            control_url=f"https://{self.host}:{self.control_port}",
            ca_pin=self.ca.pin,
        )
        self.tokens[made.id] = TokenRecord(made.secret, name, datetime.now(UTC) + life)
        return msgspec.structs.replace(made, **changes).to_text()

    def publish(self, name: str, generation: int) -> Plan:
        """Offer a new plan to the device's valid identity, and wake it."""
        made = msgspec.structs.replace(edge_plan(), identity=self.valid[name], generation=generation)
        self.offer(name, sign(made, self.plan_key))
        return made

    def offer(self, name: str, document: bytes) -> None:
        """Offer these bytes, whatever they are."""
        self.offered[name] = document
        self._wake()

    def revoke(self, name: str) -> None:
        """Shut a device out."""
        del self.valid[name]
        self._wake()

    def reports(self, name: str) -> list[Report]:
        """What a device has said of itself."""
        return [report for report in self.received if report.identity.name == name]

    @property
    def plan_keys(self) -> dict[str, str]:
        raw = self.plan_key.public_key().public_bytes_raw()
        return {key_id(raw): base64.b64encode(raw).decode()}

    # The listeners

    async def start(self) -> None:
        """Serve; the ports, once chosen, stay the same over `stop` and `start`."""
        pem = self.directory / "server.pem"
        pem.write_bytes(self.ca.server(self.certified_for, self.server_life))
        enrolling = _context(pem)
        controlling = _context(pem)
        controlling.verify_mode = ssl.CERT_REQUIRED
        controlling.load_verify_locations(cadata=self.ca.pem)
        if self.ca.ahead:
            # It sees its own certificates with a clock that this process does not have.
            controlling.verify_flags |= ssl.VerifyFlags(0x200000)
        controlling.num_tickets = 0
        trust = web.get(TRUST_PATH, self._trust)
        self.enroll_port = await self._serve(
            self.enroll_port,
            enrolling,
            [web.get(CA_CERTS_PATH, self._ca_certs), web.post(ENROLL_PATH, self._enroll), trust],
        )
        self.control_port = await self._serve(
            self.control_port,
            controlling,
            [
                web.get(PLAN_PATH, self._plan),
                web.post(REPORT_PATH, self._report),
                web.post(RENEW_PATH, self._renew),
                trust,
            ],
        )

    async def stop(self) -> None:
        """Stop serving; held polls are cut."""
        self._wake()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, port: int, context: ssl.SSLContext, routes: list[web.RouteDef]) -> int:
        app = web.Application(middlewares=[_refusals])
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, self.host, port, ssl_context=context).start()
        return int(runner.addresses[0][1])

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _ca_certs(self, _: web.Request) -> web.Response:
        return _certificates(self.ca.certificate)

    async def _trust(self, _: web.Request) -> web.Response:
        answer = TrustAnswer(cluster=CLUSTER, plan_keys=self.plan_keys, ca=(self.ca.pem,))
        return web.Response(body=encode(answer), content_type="application/json")

    async def _enroll(self, request: web.Request) -> web.Response:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or request.content_type != "application/pkcs10":
            raise RefusedError(401, TOKEN_UNKNOWN)
        token_id, _, secret = base64.b64decode(value).decode().partition(":")
        record = self.tokens.get(token_id)
        if record is None or record.secret != secret:
            raise RefusedError(401, TOKEN_UNKNOWN)
        key = _requested_key(await request.read())
        asks = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        again = record.used_by == asks and record.name in self.valid
        if record.used_by and not again:
            raise RefusedError(401, TOKEN_USED)
        if record.expires <= datetime.now(UTC):
            raise RefusedError(401, TOKEN_EXPIRED)
        record.used_by = asks
        if not again:
            self.valid[record.name] = Identity(CLUSTER, record.name, f"{len(self.tokens):08x}")
        identity = self.valid[record.name]
        return _certificates(self.ca.device(key, identity, self.leaf_life))

    async def _plan(self, request: web.Request) -> web.Response:
        name = self._caller(request).name
        known = request.headers.get("If-None-Match", "").strip('"')
        self.polls.append(known)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _wait_of(request.headers)
        while (document := self.offered.get(name)) is None or _etag(document) == known:
            news = self._news
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                break
            self._caller(request)
        if document is None:
            raise RefusedError(404, PLAN_NONE)
        headers = {"ETag": f'"{_etag(document)}"'}
        if _etag(document) == known:
            return web.Response(status=304, headers=headers)
        return web.Response(body=document, headers=headers, content_type="application/json")

    async def _report(self, request: web.Request) -> web.Response:
        identity = self._caller(request)
        report = decode(await request.read(), Report)
        if report.identity != identity:
            raise RefusedError(400, "report-bad")
        self.received.append(report)
        return web.Response(status=204)

    async def _renew(self, request: web.Request) -> web.Response:
        identity = self._caller(request)
        key = _requested_key(await request.read())
        return _certificates(self.ca.device(key, identity, self.leaf_life))

    def _caller(self, request: web.Request) -> Identity:
        names = request.get_extra_info("peercert")["subjectAltName"]
        identity = parse_uri(next(value for kind, value in names if kind == "URI"))
        if self.valid.get(identity.name) != identity:
            raise RefusedError(403, REVOKED)
        return identity


def _context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pem)
    return context


def _etag(document: bytes) -> str:
    try:
        return str(msgspec.json.decode(document)["digest"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "garbage"


def _wait_of(headers: Mapping[str, str]) -> float:
    prefer = headers.get("Prefer", "wait=0")
    return float(prefer.removeprefix("wait="))


def _requested_key(body: bytes) -> ec.EllipticCurvePublicKey:
    request = x509.load_der_x509_csr(base64.b64decode(body))
    key = request.public_key()
    if not request.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise RefusedError(400, "request-bad")
    return key


def _certificates(certificate: x509.Certificate) -> web.Response:
    body = base64.encodebytes(pkcs7.serialize_certificates([certificate], Encoding.DER))
    return web.Response(body=body, content_type="application/pkcs7-mime")


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as error:
        body = encode(Refusal(error.code, "the fake refuses"))
        return web.Response(body=body, status=error.status, content_type="application/json")
