# SPDX-License-Identifier: Apache-2.0
"""Operators to test with, on loopback; manifests for them; and devices as they would come in."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from aiohttp import ClientResponse, ClientSession, TCPConnector, UnixConnector
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.netcore.plan.exchange import ENROLL_PATH
from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.netcore.plan.token import Token
from cloud.app import App
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey, new_ec_key, private_pem
from cloud.endpoint.server import Server
from cloud.enrolment import create_token
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.settings import Pools, Settings
from cloud.store.store import Store
from tests.unit.ca.requests import certificate_in, request_for

NODES = """
apiVersion: v1
kind: Node
metadata:
  name: connector-1
  labels: {node-role.kubernetes.io/connector: ""}
  annotations: {fabedge.io/node-public-addresses: "203.0.113.11"}
status: {addresses: [{type: InternalIP, address: 172.16.0.11}]}
---
apiVersion: v1
kind: Node
metadata: {name: shop1, labels: {node-role.kubernetes.io/edge: ""}}
---
apiVersion: v1
kind: Node
metadata: {name: shop2, labels: {node-role.kubernetes.io/edge: ""}}
"""
COMMUNITY = """
apiVersion: orillo.io/v1alpha1
kind: Community
metadata: {name: shops}
spec: {members: [shop1, shop2]}
"""


@dataclass
class Clock:
    """A time that moves when told to; its start is the real one, for TLS looks at the real one."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, span: timedelta) -> None:
        """Let time pass."""
        self.moment += span


def settings() -> Settings:
    """On loopback, at ports that the kernel chooses."""
    addresses = ("127.0.0.1", "localhost")
    return Settings(cluster="lab", addresses=addresses, listen="127.0.0.1", control_port=0, enroll_port=0)


def small_settings() -> Settings:
    """The same with one block of IPv4 for pods, which the first node takes."""
    fields = {name: getattr(settings(), name) for name in Settings.__struct_fields__}
    return Settings(**fields | {"pools": Pools(pods=(ip_network("10.200.0.0/24"),))})


def new_app(paths: CloudPaths, clock: Clock | None = None, wish: Settings | None = None) -> App:
    """An operator as `init` would make it."""
    now = clock or Clock()
    wish = wish or settings()
    make_private_directory(paths.keys)
    issuer, plan_key = Issuer.create(paths.keys, "lab", now()), PlanKey.create(paths.keys / "plan.key")
    return App(wish, Store.open(paths.database), issuer, plan_key, now)


def new_token(app: App, name: str = "shop1", life: timedelta = timedelta(hours=1)) -> Token:
    """A token for one of the nodes."""
    return create_token(app, name, life)


@dataclass
class Operator:
    """A running operator and what tests ask of it."""

    app: App
    server: Server
    paths: CloudPaths

    def client(self, device: "Device | None" = None) -> ClientSession:
        """A device's HTTP client; without a certificate, if there is no device."""
        context = ssl.create_default_context(cadata=self.app.issuer.certificate_pem)
        if device:
            context.load_cert_chain(device.files)
        return ClientSession(connector=TCPConnector(ssl=context))

    def admin(self) -> ClientSession:
        """A client of the admin socket."""
        return ClientSession("http://admin", connector=UnixConnector(str(self.paths.admin_socket)))

    def control(self, path: str) -> str:
        """The URL of a path of the control listener."""
        return f"https://127.0.0.1:{self.server.control_port}{path}"

    def enrolment(self, path: str) -> str:
        """The URL of a path of the enrolment listener."""
        return f"https://127.0.0.1:{self.server.enroll_port}{path}"


@dataclass
class Device:
    """An enrolled device: who it is, and the file with its key and leaf."""

    identity: Identity
    files: Path


@asynccontextmanager
async def running(
    root: Path, clock: Clock | None = None, wish: Settings | None = None
) -> AsyncIterator[Operator]:
    """An operator that runs below `root`."""
    paths = CloudPaths(root)
    app = new_app(paths, clock, wish)
    server = await Server.start(app, paths)
    try:
        yield Operator(app, server, paths)
    finally:
        await server.close()
        app.store.close()


def basic(token_id: str, secret: str) -> dict[str, str]:
    """The header that a token goes in."""
    return {"Authorization": "Basic " + base64.b64encode(f"{token_id}:{secret}".encode()).decode()}


async def ask_to_enroll(
    client: ClientSession, operator: Operator, token: Token, request: bytes
) -> ClientResponse:
    """What a device sends with its token."""
    url = operator.enrolment(ENROLL_PATH)
    return await client.post(url, data=request, headers=basic(token.id, token.secret))


async def enroll(operator: Operator, folder: Path, name: str = "shop1") -> Device:
    """Bring a device in, over the wire."""
    key = new_ec_key()
    async with operator.client() as client:
        answer = await ask_to_enroll(client, operator, new_token(operator.app, name), request_for(key))
        assert answer.status == 200, await answer.text()
        leaf = certificate_in(await answer.read())
    return device_of(operator, private_pem(key), leaf.public_bytes(Encoding.PEM), folder, name)


def device_of(operator: Operator, key: bytes, leaf: bytes, folder: Path, name: str) -> Device:
    """A device that holds this key and this leaf."""
    identity = operator.app.identities()[name]
    files = folder / f"{name}-{identity.instance}.pem"
    files.write_bytes(key + leaf)
    return Device(parse_uri(identity.uri), files)
