# SPDX-License-Identifier: Apache-2.0
"""Each way in which the control endpoint can't be asked has words of its own. All on loopback."""

import asyncio
import errno
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.netcore.plan.token import Token, parse_token
from appliance.paths import Paths
from appliance.sync.client import verified
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.errors import ControlError, IdentityError, RefusedError, TlsError, UnreachableError
from appliance.sync.identity import load_identity
from appliance.sync.troubles import refusal, trouble
from tests.fakes.control_endpoint import FakeCa, FakeControlEndpoint


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "device")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def token_to(url: str) -> Token:
    return Token("t", "hush", url, url, "0" * 64)


async def test_closed_port(paths: Paths) -> None:
    port = closed_port()
    with pytest.raises(
        UnreachableError, match=rf"127\.0\.0\.1:{port} refuses connections: .*orillo-cloud serve"
    ):
        await enroll(paths, token_to(f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("in_vain", [1, 2])
async def test_line_that_has_just_come_back(
    endpoint: FakeControlEndpoint, paths: Paths, monkeypatch: pytest.MonkeyPatch, in_vain: int
) -> None:
    """The first connection is told what a router had found while the line was cut."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection
    outcomes = [OSError(errno.EHOSTUNREACH, "Connect call failed ('127.0.0.1', 1)")] * in_vain

    async def connect_at_last(*arguments: Any, **options: Any) -> Any:
        if outcomes:
            raise outcomes.pop()
        return await connect(*arguments, **options)

    monkeypatch.setattr(loop, "create_connection", connect_at_last)
    token = parse_token(endpoint.token("shop1"))
    if in_vain == 1:
        assert (await enroll(paths, token)).identity.name == "shop1"
        return
    with pytest.raises(UnreachableError, match=r"no way to 127\.0\.0\.1:\d+ \(No route to host\)"):
        await enroll(paths, token)
    assert (await enroll(paths, token)).identity.name == "shop1", "the token is still good"


async def test_name_that_can_not_be_resolved(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody_knows(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_knows)
    with pytest.raises(UnreachableError, match=r"cloud\.invalid:8443 can't be resolved: .*DNS servers"):
        await enroll(paths, token_to("https://cloud.invalid:8443"))


async def test_something_that_speaks_no_tls(paths: Paths) -> None:
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TlsError, match="does not speak TLS as expected"):
        await enroll(paths, token_to(f"https://127.0.0.1:{port}"))
    await asyncio.wait_for(over.wait(), 10)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "127.0.0.1", "https://", "https://[::1", "https://a:b"]
)
async def test_address_that_is_none(paths: Paths, url: str) -> None:
    with pytest.raises(ControlError, match="no https address"):
        await enroll(paths, token_to(url))


async def test_certificate_for_other_names(tmp_path: Path, paths: Paths) -> None:
    other = FakeControlEndpoint(tmp_path, certified_for="192.0.2.1")
    await other.start()
    with pytest.raises(TlsError, match=r"made for other names: .*--address"):
        await enroll(paths, parse_token(other.token("shop1")))
    await other.stop()


async def test_certificate_that_has_expired(tmp_path: Path, paths: Paths) -> None:
    late = FakeControlEndpoint(tmp_path, server_life=timedelta(hours=-1))
    await late.start()
    with pytest.raises(TlsError, match=r"not valid at this time: .*clock"):
        await enroll(paths, parse_token(late.token("shop1")))
    await late.stop()


async def test_device_that_was_offline_past_its_certificate(tmp_path: Path, paths: Paths) -> None:
    endpoint = FakeControlEndpoint(tmp_path, leaf_life=timedelta(hours=-1))
    await endpoint.start()
    device = await enroll(paths, parse_token(endpoint.token("shop1")))
    client = ControlClient(device)
    # The alert is often lost: a server that hangs up on what it has not read resets the connection.
    with pytest.raises(ControlError, match=r"certificate has expired|closed the connection"):
        await client.plan(None, wait=0)
    await client.close()
    await endpoint.stop()


async def test_certificate_of_another_ca(endpoint: FakeControlEndpoint) -> None:
    token = parse_token(endpoint.token("shop1"))
    with pytest.raises(TlsError, match="from a CA not trusted here"):
        async with verified(token, [FakeCa().pem.encode()]) as client:
            await client.trust()


async def test_endpoint_that_does_not_know_us_any_more(
    endpoint: FakeControlEndpoint, tmp_path: Path, paths: Paths
) -> None:
    """The operator was made anew behind the same address: another CA, so each rejects the other."""
    device = await enroll(paths, parse_token(endpoint.token("shop1")))
    await endpoint.stop()
    anew = FakeControlEndpoint(endpoint.directory, control_port=endpoint.control_port)
    await anew.start()
    client = ControlClient(device)
    with pytest.raises(TlsError, match="from a CA not trusted here"):
        await client.plan(None, wait=0)
    await client.close()
    await anew.stop()


async def test_endpoint_that_goes_away_in_the_middle(endpoint: FakeControlEndpoint, paths: Paths) -> None:
    device = await enroll(paths, parse_token(endpoint.token("shop1")))
    endpoint.publish("shop1", 1)
    client = ControlClient(device)
    offer = await client.plan(None, wait=0)
    assert offer is not None
    waiting = asyncio.ensure_future(client.plan(offer.etag, wait=30))
    async with asyncio.timeout(10):
        while len(endpoint.polls) < 2:
            await asyncio.sleep(0.005)
    await endpoint.stop()
    with pytest.raises(UnreachableError):
        await waiting
    await client.close()


async def test_damaged_identity_is_told(endpoint: FakeControlEndpoint, paths: Paths) -> None:
    device = await enroll(paths, parse_token(endpoint.token("shop1")))
    device.certificate.write_bytes(b"no certificate")
    with pytest.raises(IdentityError, match="enrol again"):
        ControlClient(device)


async def test_secret_is_in_no_error(endpoint: FakeControlEndpoint, paths: Paths) -> None:
    token = parse_token(endpoint.token("shop1"))
    await enroll(paths, token)
    with pytest.raises(RefusedError) as refused:
        await enroll(paths, token)
    assert token.secret not in repr(refused.value) + str(refused.value) + repr(token)
    assert load_identity(paths) is not None


def test_timeout_has_its_words() -> None:
    assert "does not answer in time" in str(trouble(TimeoutError(), "there:1"))


def test_no_route_has_its_words() -> None:
    error = OSError("All connection attempts failed")
    error.__cause__ = OSError(101, "Network is unreachable")
    assert str(trouble(error, "there:1")) == "no way to there:1 (Network is unreachable): check the uplink"


def test_several_addresses_that_fail_are_one_error() -> None:
    error = OSError("All connection attempts failed")
    error.__cause__ = ExceptionGroup("all", [ConnectionRefusedError(111, "no"), OSError(101, "unreachable")])
    assert "there:1 refuses connections" in str(trouble(error, "there:1"))


def test_unknown_refusal_names_status_and_reason() -> None:
    error = refusal(503, "", "going down", "there:1")
    assert (error.code, str(error)) == ("http-503", "there:1 refused with status 503: going down")
