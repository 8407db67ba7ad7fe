# SPDX-License-Identifier: Apache-2.0
"""What the board says of its power and heat (Documentation/hwmon/sysfs-interface, power_supply, thermal).

Boards differ, and many say nothing: what is not there is no finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text

_SYS = Path("/sys/class")
#: Alarms of a voltage that is too low; the Raspberry Pi's firmware has the last one.
_VOLTAGE_ALARMS = ("in*_min_alarm", "in*_lcrit_alarm")
_THOUSANDTHS = 1000


@dataclass(frozen=True)
class Supply:
    """One source of power. `online` is None for a battery, `capacity` (percent) for all others."""

    name: str
    kind: str
    online: bool | None
    capacity: int | None


@dataclass(frozen=True)
class Heat:
    """One thermal zone in degrees Celsius, and the highest trip point that it has reached, if any."""

    zone: str
    degrees: float
    reached: str


def low_voltages(sys: Path = _SYS) -> tuple[str, ...]:
    """The sensors that raise an alarm of too low a voltage, as `chip label`."""
    found = []
    for chip in _directories(sys / "hwmon"):
        for pattern in _VOLTAGE_ALARMS:
            for alarm in sorted(chip.glob(pattern)):
                if _text(alarm) == "1":
                    sensor = alarm.name.split("_")[0]
                    label = _text(chip / f"{sensor}_label") or sensor
                    found.append(f"{_text(chip / 'name') or chip.name} {label}")
    return tuple(dict.fromkeys(found))


def supplies(sys: Path = _SYS) -> tuple[Supply, ...]:
    """Mains, USB and batteries of the board itself; a mouse's battery is none."""
    found = []
    for entry in _directories(sys / "power_supply"):
        if _text(entry / "scope") == "Device":
            continue
        online, capacity = _text(entry / "online"), _text(entry / "capacity")
        kind = _text(entry / "type")
        found.append(
            Supply(
                entry.name,
                kind,
                online != "0" if online and kind != "Battery" else None,
                int(capacity) if capacity.isdigit() and kind == "Battery" else None,
            )
        )
    return tuple(found)


def heat(sys: Path = _SYS) -> tuple[Heat, ...]:
    """The zones that have reached a trip point at which the kernel acts, hottest first."""
    found = [one for zone in _directories(sys / "thermal") if (one := _zone(zone)) is not None]
    return tuple(sorted(found, key=lambda one: -one.degrees))


def _zone(zone: Path) -> Heat | None:
    now = _number(zone / "temp")
    if not zone.name.startswith("thermal_zone") or now is None:
        return None
    reached = [
        (at, _text(trip.with_name(trip.name.replace("_temp", "_type"))))
        for trip in zone.glob("trip_point_*_temp")
        if (at := _number(trip)) is not None and 0 < at <= now
    ]
    acting = [one for one in sorted(reached) if one[1] in ("passive", "hot", "critical")]
    if not acting:
        return None
    return Heat(_text(zone / "type") or zone.name, now / _THOUSANDTHS, acting[-1][1])


def _directories(parent: Path) -> Iterator[Path]:
    try:
        yield from sorted(parent.iterdir())
    except OSError:
        return


def _text(path: Path) -> str:
    """A sensor that can't be read now says nothing."""
    try:
        return (read_text(path) or "").strip()
    except DoorError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None
