# SPDX-License-Identifier: Apache-2.0
"""The snapshot as Prometheus reads it."""

import asyncio
import re
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from appliance.netcore.errors import DoorError
from appliance.status.metrics import render
from appliance.status.metrics_server import MetricsServer
from appliance.status.model import Condition, Control, Repairs, Severity
from tests.unit.status.snapshots import healthy, unenrolled

HERE = ip_address("127.0.0.1")
SAMPLE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+$')


def test_every_line_is_one_that_prometheus_reads() -> None:
    for snapshot in (healthy(), unenrolled()):
        text = render(snapshot)
        assert text.endswith("\n")
        families = re.findall(r"^# TYPE (\S+) (?:gauge|counter)$", text, re.MULTILINE)
        assert len(families) == len(set(families))
        for line in text.splitlines():
            if not line.startswith("#"):
                assert SAMPLE.match(line), line
                assert re.split(r"[{ ]", line)[0] in families


def test_figures_are_those_of_the_snapshot() -> None:
    lines = render(healthy()).splitlines()
    assert 'orillo_tunnel_up{peer="connector-1"} 1' in lines
    assert 'orillo_tunnel_rtt_seconds{peer="connector-1"} 0.0123' in lines
    assert "orillo_plan_generation 12" in lines
    assert 'orillo_service_backends{service="default/web:http",alive="false"} 1' in lines
    assert 'orillo_conditions{severity="fault"} 0' in lines


def test_conditions_are_counted_and_named() -> None:
    lines = render(replace(healthy(), control=Control(error="no way there"))).splitlines()
    assert 'orillo_conditions{severity="degraded"} 1' in lines
    assert 'orillo_condition{code="control-offline",severity="degraded"} 1' in lines


def test_words_of_others_stay_inside_their_quotes() -> None:
    odd = replace(healthy(), ipsec='a"b\\c\nd')
    assert r'ipsec="a\"b\\c\nd"' in render(odd)


FULL = replace(
    healthy(),
    conditions=(Condition("disk-full", Severity.FAULT, "x"),),
    drift={"routes": Repairs(count=3, at=datetime(2026, 1, 1, tzinfo=UTC))},
)
FAMILIES = re.findall(r"^# HELP (\S+) (.+)\n# TYPE \S+ (\S+)$", render(FULL), re.MULTILINE)
#: What a name says in place of a base unit, or of what the type says already.
NOT_IN_NAMES = {
    *("ms", "millis", "milliseconds", "us", "ns", "minutes", "hours", "days", "percent", "kb", "mb"),
    *("kilobytes", "megabytes", "gauge", "counter", "histogram", "summary", "metric", "value"),
}


@pytest.mark.parametrize(("name", "text", "kind"), FAMILIES, ids=[name for name, _, _ in FAMILIES])
def test_name_and_help_are_as_the_conventions_have_them(name: str, text: str, kind: str) -> None:
    """The rules of `promtool check metrics` (https://prometheus.io/docs/practices/naming/)."""
    assert re.fullmatch(r"orillo_[a-z]+(_[a-z]+)*", name)
    assert not NOT_IN_NAMES & set(name.split("_"))
    assert (kind == "counter") == name.endswith("_total")
    assert not name.endswith(("_count", "_sum", "_bucket"))
    assert text.endswith(".")
    labels = re.findall(rf"^{name}{{(.*)}} ", render(FULL), re.MULTILINE)
    for label in re.findall(r"(\w+)=", ",".join(labels)):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", label)
        assert label not in ("le", "quantile", "job", "instance")


def test_units_are_base_units_and_stand_at_the_end() -> None:
    units = {"seconds", "bytes", "ratio"}
    for name, _, _ in FAMILIES:
        words = name.removesuffix("_total").split("_")
        assert not units & set(words[:-1]), name


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(str(HERE), port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_http_has_metrics_and_nothing_else() -> None:
    server = MetricsServer(HERE, 0, lambda: "orillo_enrolled 1\n")
    port = await server.start()
    try:
        good = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert good.startswith(b"HTTP/1.1 200 OK\r\n")
        assert good.endswith(b"\r\n\r\norillo_enrolled 1\n")
        assert (await ask(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await ask(port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert await ask(port, b"x" * 20_000) == b""
        with pytest.raises(DoorError, match=r"\[metrics\]"):
            await MetricsServer(HERE, port, str).start()
    finally:
        await server.close()
