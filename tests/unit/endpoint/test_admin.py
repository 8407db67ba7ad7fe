# SPDX-License-Identifier: Apache-2.0
"""The admin socket: for its owner only, and the same commands as without a server."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from cloud.commands import COMMAND_PATH, dispatch
from cloud.endpoint.server import Server
from cloud.endpoint.sockets import ListenError, listen_tcp, listen_unix
from cloud.paths import CloudPaths
from tests.unit.endpoint.operators import NODES, Operator, new_app

FILES = {"files": [{"name": "nodes.yaml", "text": NODES}], "author": "root@test"}


async def command(operator: Operator, name: str, parameters: object) -> tuple[int, object]:
    """Run a command over the socket."""
    async with operator.admin() as client, client.post(COMMAND_PATH + name, json=parameters) as answer:
        return answer.status, await answer.json()


def test_socket_is_for_its_owner_only(operator: Operator) -> None:
    assert stat.S_IMODE(operator.paths.admin_socket.stat().st_mode) == 0o600


async def test_commands_do_the_same_as_alone(operator: Operator) -> None:
    status, applied = await command(operator, "apply", FILES)
    assert (status, applied) == (
        200,
        dispatch(operator.app, "apply", FILES) | {"objects": _objects("created")},
    )
    assert (await command(operator, "get", {"kind": "nodes"}))[1] == dispatch(
        operator.app, "get", {"kind": "nodes"}
    )


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("plan-show", {"name": "shop1"}, 1),
        ("get", {"kind": "pods"}, 2),
        ("nonsense", {}, 2),
        ("get", {"kind": 3}, 2),
        ("get", [], 2),
        ("get", {"kind": "nodes", "colour": "red"}, 2),
        ("token-create", {"name": "shop1", "ttl": 0}, 2),
        ("token-create", {"name": "Shop 1", "ttl": 60}, 1),
    ],
)
async def test_errors_come_as_sentence_and_code(
    operator: Operator, name: str, parameters: object, code: int
) -> None:
    status, answer = await command(operator, name, parameters)
    assert status == 400
    assert isinstance(answer, dict)
    assert answer["code"] == code
    assert answer["error"]


async def test_no_json_is_an_error_too(operator: Operator) -> None:
    async with operator.admin() as client, client.post(COMMAND_PATH + "get", data=b"{") as answer:
        assert answer.status == 400


async def test_socket_of_a_dead_server_is_replaced(operator: Operator) -> None:
    path = operator.paths.run / "dead.sock"
    dead = listen_unix(path)
    dead.close()
    with listen_unix(path):
        assert path.is_socket()


async def test_socket_is_gone_after_the_end(operator: Operator) -> None:
    await operator.server.close()
    assert not operator.paths.admin_socket.exists()


def test_port_in_use_is_told_with_address_and_remedy() -> None:
    with listen_tcp("127.0.0.1", 0, "control_port") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1, port {port}: another .* change control_port"):
            listen_tcp("127.0.0.1", port, "control_port")


def test_every_address_is_both_families() -> None:
    with listen_tcp("", 0, "control_port") as listener:
        assert listener.family == (socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
            pass


def test_address_of_another_host_is_told() -> None:
    with pytest.raises(ListenError, match="does not have that address"):
        listen_tcp("192.0.2.1", 0, "control_port")


async def test_failed_start_leaves_nothing_open(tmp_path: Path) -> None:
    paths = CloudPaths(tmp_path / ("x" * 120))  # too long for a unix socket
    app = new_app(paths)
    with pytest.raises(ListenError, match=r"admin\.sock: AF_UNIX path too long"):
        await Server.start(app, paths)
    app.store.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _objects(outcome: str) -> list[dict[str, str]]:
    return [
        {"kind": "Node", "namespace": "", "name": name, "outcome": outcome}
        for name in ("connector-1", "shop1", "shop2")
    ]
