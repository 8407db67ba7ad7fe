# SPDX-License-Identifier: Apache-2.0
"""Enrolment and the long poll through a web proxy: a real one, which does nothing but CONNECT."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.errors import ControlError, UnreachableError
from appliance.sync.identity import load_identity
from appliance.sync.proxy import Proxy, proxy_of
from tests.fakes.control_endpoint import FakeControlEndpoint
from tests.fakes.web_proxy import WebProxy


@pytest.fixture
async def web_proxy() -> AsyncIterator[WebProxy]:
    async with WebProxy(known="shop 17:p@ss").serving() as proxy:
        yield proxy


Configure = Callable[[str], Paths]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A device whose orillo.toml names that proxy."""

    def write(url: str) -> Paths:
        paths = Paths(tmp_path / "device")
        paths.settings.parent.mkdir(parents=True, exist_ok=True)
        paths.settings.write_text(f'[proxy]\nurl = "{url}"\n')
        return paths

    return write


async def test_all_that_is_said_to_the_operator_goes_through_it(
    endpoint: FakeControlEndpoint, web_proxy: WebProxy, configure: Configure
) -> None:
    """Enrolment, a plan that comes later by the long poll, and a report."""
    paths = configure(web_proxy.url("shop%2017:p%40ss"))
    token = parse_token(endpoint.token("shop1"))
    device = await enroll(paths, token)
    enrolled_by = len(web_proxy.asked)
    assert enrolled_by >= 2
    client = ControlClient(device, proxy_of(paths))
    endpoint.publish("shop1", 1)
    first = await client.plan(None)
    assert first is not None
    waiting = asyncio.create_task(client.plan(first.etag))
    await asyncio.sleep(0)
    endpoint.publish("shop1", 2)
    second = await asyncio.wait_for(waiting, 10)
    assert second is not None
    assert second.etag != first.etag
    await client.close()
    # A connection is kept: both plans came through one tunnel.
    assert len(web_proxy.asked) == enrolled_by + 1
    assert web_proxy.asked[-1] == device.control_url.removeprefix("https://")


async def test_names_are_looked_up_by_the_proxy(
    endpoint: FakeControlEndpoint, web_proxy: WebProxy, configure: Configure
) -> None:
    """A site behind one often has no names of the world outside."""
    paths = configure(web_proxy.url("shop%2017:p%40ss"))
    token = parse_token(endpoint.token("shop1"))
    web_proxy.names["localhost.only-the-proxy.example"] = "127.0.0.1"
    elsewhere = msgspec.structs.replace(
        token, enroll_url=token.enroll_url.replace("127.0.0.1", "localhost.only-the-proxy.example")
    )
    # It got as far as the certificate, which is made for another name.
    with pytest.raises(ControlError, match="made for other names"):
        await enroll(paths, elsewhere)
    assert web_proxy.asked
    assert all(place.startswith("localhost.only-the-proxy.example:") for place in web_proxy.asked)


async def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    endpoint: FakeControlEndpoint, web_proxy: WebProxy, configure: Configure
) -> None:
    token = parse_token(endpoint.token("shop1"))
    paths = configure(web_proxy.url("shop%2017:wrong-secret"))
    with pytest.raises(UnreachableError, match="name and a password") as caught:
        await enroll(paths, token)
    assert "wrong-secret" not in str(caught.value)
    assert f"127.0.0.1:{web_proxy.port}" in str(caught.value)
    assert load_identity(paths) is None
    paths = configure(web_proxy.url("shop%2017:p%40ss"))
    device = await enroll(paths, token)
    web_proxy.allowed = ()
    client = ControlClient(device, proxy_of(paths))
    with pytest.raises(UnreachableError, match=r"does not let us through to .*: it answers 403 Forbidden"):
        await client.plan(None, wait=1)


async def test_a_proxy_that_is_away_is_an_outage(endpoint: FakeControlEndpoint, configure: Configure) -> None:
    async with WebProxy().serving() as gone:
        paths = configure(gone.url())
    with pytest.raises(UnreachableError):
        await enroll(paths, parse_token(endpoint.token("shop1")))


def test_what_a_proxys_address_may_be(configure: Configure) -> None:
    assert proxy_of(configure("")) is None
    found = proxy_of(configure("http://[2001:db8::80]"))
    assert found == Proxy("2001:db8::80", 3128)
    assert found.url == "http://[2001:db8::80]:3128"
    for wrong in ("https://192.0.2.80:3128", "socks5://192.0.2.80", "192.0.2.80:3128"):
        with pytest.raises(ControlError, match=r"proxy\.url"):
            proxy_of(configure(wrong))
