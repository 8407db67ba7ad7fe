# SPDX-License-Identifier: Apache-2.0
"""Power and heat as boards tell of them in /sys/class."""

from pathlib import Path

from appliance.netcore.kernel.sensors import Heat, Supply, heat, low_voltages, supplies


def board(sys: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (sys / name).parent.mkdir(parents=True, exist_ok=True)
        (sys / name).write_text(f"{text}\n")
    return sys


def test_board_that_says_nothing_has_nothing(tmp_path: Path) -> None:
    assert (low_voltages(tmp_path), supplies(tmp_path), heat(tmp_path)) == ((), (), ())


def test_alarm_of_low_voltage(tmp_path: Path) -> None:
    """As the Raspberry Pi's firmware has it, and as a monitoring chip of a PC has it."""
    files = {
        "hwmon/hwmon0/name": "rpi_volt",
        "hwmon/hwmon0/in0_lcrit_alarm": "1",
        "hwmon/hwmon1/name": "nct6775",
        "hwmon/hwmon1/in2_label": "+5V",
        "hwmon/hwmon1/in2_min_alarm": "1",
        "hwmon/hwmon1/in3_min_alarm": "0",
    }
    assert low_voltages(board(tmp_path, files)) == ("rpi_volt in0", "nct6775 +5V")


def test_mains_and_battery(tmp_path: Path) -> None:
    files = {
        "power_supply/AC/type": "Mains",
        "power_supply/AC/online": "0",
        "power_supply/BAT0/type": "Battery",
        "power_supply/BAT0/capacity": "42",
        "power_supply/mouse/type": "Battery",
        "power_supply/mouse/scope": "Device",
    }
    assert supplies(board(tmp_path, files)) == (
        Supply("AC", "Mains", online=False, capacity=None),
        Supply("BAT0", "Battery", online=None, capacity=42),
    )


def test_zone_beyond_a_trip_point(tmp_path: Path) -> None:
    files = {
        "thermal/thermal_zone0/type": "cpu-thermal",
        "thermal/thermal_zone0/temp": "86500",
        "thermal/thermal_zone0/trip_point_0_temp": "80000",
        "thermal/thermal_zone0/trip_point_0_type": "passive",
        "thermal/thermal_zone0/trip_point_1_temp": "110000",
        "thermal/thermal_zone0/trip_point_1_type": "critical",
        # A fan that turns faster is no news, and neither is a trip point that is switched off.
        "thermal/thermal_zone1/temp": "50000",
        "thermal/thermal_zone1/trip_point_0_temp": "45000",
        "thermal/thermal_zone1/trip_point_0_type": "active",
        "thermal/thermal_zone1/trip_point_1_temp": "-274000",
        "thermal/thermal_zone1/trip_point_1_type": "critical",
        "thermal/cooling_device0/type": "fan",
    }
    assert heat(board(tmp_path, files)) == (Heat("cpu-thermal", 86.5, "passive"),)
