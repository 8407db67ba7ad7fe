# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon charon`: render its configuration and become it."""

import asyncio
import os
import shutil
from pathlib import Path

from appliance.cli import daemons
from appliance.cli.errors import CliError, need_root
from appliance.cli.ports import EVERYWHERE, need_free
from appliance.netcore.desired.strongswan import strongswan_conf
from appliance.netcore.kernel.capability import probe
from appliance.netcore.kernel.files import write_atomic
from appliance.netcore.kernel.processes import missing
from appliance.netcore.plan.model import Tunnel
from appliance.paths import Paths

_PROGRAMS = ("/usr/lib/ipsec/charon", "/usr/libexec/ipsec/charon", "/usr/lib/strongswan/charon")
_OTHER_IKE = (
    "end the host's own IKE daemon, which `ss -ulnp` shows "
    "(often `systemctl disable --now strongswan-starter`)"
)

# charon has /run/charon.pid compiled in, so it gets our run directory as its /run, in a mount namespace of
# its own. `$1` is that directory, `$2` charon; `$3`, if given, is a directory below /run that name
# resolution needs, and `$4` the place for it in ours.
_SCRIPT = """
set -e
if [ -n "$3" ]; then mount --rbind "$3" "$4"; fi
mount --rbind "$1" /run
exec env STRONGSWAN_CONF=/run/strongswan.conf "$2"
"""


def run(paths: Paths) -> int:
    """Become charon, so that who started this process supervises charon; returns by an error only."""
    need_root("daemon charon")
    running = daemons.charon(paths)
    if running is not None:
        raise CliError(f"our charon runs already (pid {running}): end it first, with `kill {running}`")
    # A stale one, whose number is in use again, would make charon refuse to start.
    paths.charon_pid.unlink(missing_ok=True)
    plan = daemons.plan_on_disk(paths)
    tunnel = plan.tunnel if plan else Tunnel()
    for port in (tunnel.ike_port, tunnel.natt_port):
        need_free("UDP", port, EVERYWHERE, _OTHER_IKE)
    capability = asyncio.run(probe())
    text = strongswan_conf(tunnel, capability.ipsec)
    write_atomic(paths.strongswan_conf, text.encode())
    print(f"ipsec: {capability.ipsec} ({capability.reason})", flush=True)
    command = _command(paths.run.resolve(), _program(), _resolver(paths))
    os.execvp(command[0], command)  # noqa: S606 -- to become it is the point


def _command(run_directory: Path, program: str, resolver: Path | None) -> list[str]:
    if run_directory.samefile("/run"):
        # A container that was given our run directory as its /run: no right to mount anything is needed.
        return ["env", "STRONGSWAN_CONF=/run/strongswan.conf", program]
    extra: tuple[str, ...] = ("", "")
    if resolver is not None:
        inside = run_directory / resolver.relative_to("/run")
        inside.mkdir(parents=True, exist_ok=True)
        extra = (str(resolver), str(inside))
    script = ["sh", "-c", _SCRIPT, "charon", str(run_directory), program, *extra]
    return ["unshare", "--mount", "--propagation", "private", *script]


def _resolver(paths: Paths) -> Path | None:
    """The directory below /run that /etc/resolv.conf points into, as systemd-resolved has it.

    Without it charon could not resolve the name of a hub.
    """
    directory = paths.resolv_conf.resolve().parent
    return directory if directory != Path("/run") and directory.is_relative_to("/run") else None


def _program() -> str:
    for program in ("unshare", "mount", "env"):
        if shutil.which(program) is None:
            raise CliError(missing(program))
    for candidate in _PROGRAMS:
        if os.access(candidate, os.X_OK):
            return candidate
    raise CliError(missing("charon"))
