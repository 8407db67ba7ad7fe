# SPDX-License-Identifier: Apache-2.0
"""Faults of the board: power, heat and clock. No lab has them; sensors and clocks can be made to lie."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.faults.fault import EDGE, Fault, Inject, nothing
from tests.lab.command import LabError
from tests.lab.demo.world import World
from tests.lab.device import Daemon

_SYS_CLASS = (("{workdir}/sysclass", "/sys/class"),)
_ZONE = {
    "thermal/thermal_zone0/type": "cpu-thermal",
    "thermal/thermal_zone0/trip_point_0_temp": "80000",
    "thermal/thermal_zone0/trip_point_0_type": "passive",
    "thermal/thermal_zone0/trip_point_1_temp": "95000",
    "thermal/thermal_zone0/trip_point_1_type": "hot",
}
_UPS = {
    "power_supply/AC/type": "Mains",
    "power_supply/AC/online": "0",
    "power_supply/BAT0/type": "Battery",
}


def sensors(files: Mapping[str, str]) -> Inject:
    """What /sys/class shows to the doctor."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        sys = world.workdir / "sysclass"
        for name, text in files.items():
            (sys / name).parent.mkdir(parents=True, exist_ok=True)
            (sys / name).write_text(f"{text}\n")
        try:
            yield
        finally:
            for name in files:
                (sys / name).unlink()

    return inject


def faketime() -> str:
    """The library that makes one process see another time (Debian's package faketime)."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        raise LabError("libfaketime is not there: `apt-get install faketime`")
    return str(found)


def clock(when: str) -> tuple[tuple[str, str], ...]:
    """The environment of a process that sees another time; what it measures by is left alone."""
    return (("LD_PRELOAD", "{faketime}"), ("FAKETIME", when), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"))


@contextmanager
def clock_set_back(world: World) -> Iterator[None]:
    """The agent runs by a clock that somebody sets back by an hour."""
    device = world.devices[EDGE]
    hands = world.workdir / "hands"
    hands.write_text("+0")
    variables = {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(hands),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    device.kill(Daemon.AGENT)
    device.start(Daemon.AGENT, env=variables)
    world.wait_for_tunnels(EDGE, 30)
    hands.write_text("-3600")
    try:
        yield
    finally:
        device.kill(Daemon.AGENT)
        device.start(Daemon.AGENT)


def _told(world: World) -> bool:
    found = world.devices[EDGE].status().get("conditions", [])
    return any(one["code"] == "clock-set-back" for one in found)


BOARD = (
    Fault(
        "undervoltage",
        "the firmware's sensor raises the alarm of too low a voltage",
        "power-undervoltage",
        sensors({"hwmon/hwmon0/name": "rpi_volt", "hwmon/hwmon0/in0_lcrit_alarm": "1"}),
        mounts=_SYS_CLASS,
    ),
    Fault(
        "on-battery",
        "mains off, 64 % left in the battery",
        "power-on-battery",
        sensors({**_UPS, "power_supply/BAT0/capacity": "64"}),
        mounts=_SYS_CLASS,
    ),
    Fault(
        "battery-low",
        "mains off, 7 % left in the battery",
        "power-battery-low",
        sensors({**_UPS, "power_supply/BAT0/capacity": "7"}),
        mounts=_SYS_CLASS,
    ),
    Fault(
        "hot",
        "86 degrees, with the trip point for slowing down at 80",
        "heat-throttled",
        sensors({**_ZONE, "thermal/thermal_zone0/temp": "86000"}),
        mounts=_SYS_CLASS,
    ),
    Fault(
        "too-hot",
        "97 degrees, with the trip point 'hot' at 95",
        "heat-critical",
        sensors({**_ZONE, "thermal/thermal_zone0/temp": "97000"}),
        mounts=_SYS_CLASS,
    ),
    Fault("clock-1970", "the doctor sees 1970", "clock-unset", nothing, env=clock("1970-01-02 00:00:00")),
    Fault("clock-ahead", "the doctor's clock is 10 minutes ahead", "clock-off", nothing, env=clock("+600s")),
    Fault(
        "clock-set-back", "the agent's clock goes back by an hour", "clock-set-back", clock_set_back, _told
    ),
)
