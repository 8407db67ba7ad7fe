# SPDX-License-Identifier: Apache-2.0
"""All benchmarks by name. A new one is a module with `run() -> Outcome` and one line here."""

from collections.abc import Callable, Mapping

from tests.bench import cluster, diagnosis, footprint, replan, screen, services, start
from tests.bench.outcome import Outcome

BENCHES: Mapping[str, Callable[[], Outcome]] = {
    "diagnosis": diagnosis.run,
    "footprint": footprint.run,
    "operator": cluster.run,
    "replan": replan.run,
    "screen": screen.run,
    "services": services.run,
    "start": start.run,
}
