# SPDX-License-Identifier: Apache-2.0
"""What is told of a plan without its document."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlanHead:
    """What is told of a plan without its document; `withdrawn` is a device that has none at present."""

    name: str
    generation: int
    digest: str
    withdrawn: bool
    fingerprint: str = ""
