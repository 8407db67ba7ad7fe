# SPDX-License-Identifier: Apache-2.0
"""`orillo plan import FILE`: take a site plan that was carried here. `orillo plan show`: the one in force."""

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from appliance.cli import daemons
from appliance.cli.errors import CliError, Exit, need_root
from appliance.cli.text import print_json
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.sync.imported import import_plan


def run(paths: Paths, options: Namespace) -> int:
    """One of the two actions."""
    if options.action == "import":
        need_root("plan import")
        return import_file(paths, options.file, options.key)
    return _show(paths, json=options.output == "json")


def import_file(paths: Paths, file: Path, key: str) -> int:
    """Keep the plan, and tell the daemon, if it runs."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CliError(f"can't read {file}: {error.strerror}") from error
    plan = import_plan(paths, data, key).plan
    with suppress(NotRunningError):
        client.command(paths.status_socket, "reload")
    print(f"plan {plan.generation} of {plan.identity.name} is in force; tunnels wait for `orillo enroll`")
    return Exit.OK


def _show(paths: Paths, *, json: bool) -> int:
    plan = daemons.plan_on_disk(paths)
    if plan is None:
        raise CliError("there is no plan on this device: enrol it, or `orillo plan import FILE --key KEY`")
    if json:
        print_json(builtins(plan))
        return Exit.OK
    print(
        f"plan {plan.generation} of {plan.identity.name}, made {plan.issued_at.isoformat()} by {plan.author}"
    )
    print(f"role:     {plan.place.role}, site {plan.place.site}")
    print(f"prefixes: {', '.join(map(str, plan.prefixes))}")
    print(f"peers:    {', '.join(sorted(plan.peers)) or 'none'}")
    print(f"services: {', '.join(sorted(plan.services)) or 'none'}")
    return Exit.OK
