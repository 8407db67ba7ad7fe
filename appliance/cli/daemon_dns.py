# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon dns`: render the name cache's configuration from the plan on disk and become it."""

import os
import shutil
import time

from appliance.cli import daemons
from appliance.cli.errors import CliError, need_root
from appliance.cli.ports import need_free
from appliance.netcore.desired.dns import listen_addresses, unbound_conf
from appliance.netcore.desired.facts import Facts
from appliance.netcore.kernel.files import write_atomic
from appliance.netcore.kernel.processes import missing
from appliance.netcore.kernel.resolv import name_servers
from appliance.netcore.plan.model import Plan
from appliance.paths import Paths
from appliance.settings import load_settings

_LOOK_AGAIN = 0.5
_DNS = 53
_OTHER_DNS = "let that one, which `ss -lnp sport = 53` shows, listen on other addresses"


def run(paths: Paths) -> int:
    """Become unbound, so that who started this process supervises it; returns by an error only."""
    need_root("daemon dns")
    running = daemons.unbound(paths)
    if running is not None:
        raise CliError(f"our unbound runs already (pid {running}): end it first, with `kill {running}`")
    if shutil.which("unbound") is None:
        raise CliError(missing("unbound"))
    settings = load_settings(paths.settings)
    # Ours from now on: what waits for the plan below is found by `orillo purge` too.
    write_atomic(paths.unbound_pid, f"{os.getpid()}\n".encode())
    plan = _first_plan(paths)
    for kind in ("UDP", "TCP"):
        need_free(kind, _DNS, listen_addresses(plan), _OTHER_DNS)
    facts = Facts(resolvers=settings.dns.resolvers or name_servers(paths.resolv_conf, plan.dns.bind))
    write_atomic(paths.unbound_conf, unbound_conf(plan, facts, paths).text.encode())
    command = ["unbound", "-d", "-c", str(paths.unbound_conf)]
    os.execvp(command[0], command)  # noqa: S606 -- to become it is the point


def _first_plan(paths: Paths) -> Plan:
    """The plan on disk, waited for: there is nothing to answer, and no address to answer on, before it."""
    plan = daemons.plan_on_disk(paths)
    if plan is None:
        print("waiting for the first plan", flush=True)
    while plan is None:
        time.sleep(_LOOK_AGAIN)
        plan = daemons.plan_on_disk(paths)
    return plan
