# SPDX-License-Identifier: Apache-2.0
"""Power and heat: what makes a small board lose packets, files and its temper before anything else does."""

from appliance.checks.box import Box
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel import sensors

_NEARLY_EMPTY = 10


async def power(_box: Box) -> list[Finding]:
    """Too low a voltage, and running on a battery."""
    found = [
        Finding("power-undervoltage", f"the sensor {name} raises its alarm", {"sensor": name})
        for name in sensors.low_voltages()
    ]
    supplies = sensors.supplies()
    mains = [one for one in supplies if one.online is not None]
    batteries = [one for one in supplies if one.capacity is not None]
    if mains and batteries and not any(one.online for one in mains):
        left = max(one.capacity or 0 for one in batteries)
        code = "power-battery-low" if left <= _NEARLY_EMPTY else "power-on-battery"
        lost = ", ".join(one.name for one in mains)
        found.append(Finding(code, f"{lost} is off; the battery has {left} % left", {"left": str(left)}))
    return found


async def heat(_box: Box) -> list[Finding]:
    """The hottest zone that has come to where the kernel acts."""
    for one in sensors.heat()[:1]:
        evidence = f"{one.zone} is at {one.degrees:.0f} °C, beyond its trip point '{one.reached}'"
        code = "heat-throttled" if one.reached == "passive" else "heat-critical"
        return [Finding(code, evidence, {"degrees": f"{one.degrees:.0f}"})]
    return []
