# SPDX-License-Identifier: Apache-2.0
"""The internet's name server: a real unbound with a few names of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.process import Process
from tests.lab.topology import Address


def start(
    ns: str, address: Address, zone: str, names: Mapping[str, Sequence[Address]], workdir: Path
) -> Process:
    """Serve `names`, which lie in `zone`, and refuse to know anything else."""
    records = "\n".join(
        f'    local-data: "{name}. 60 IN {"A" if value.version == 4 else "AAAA"} {value}"'
        for name, values in names.items()
        for value in values
    )
    workdir.mkdir(parents=True, exist_ok=True)
    settings = workdir / "unbound.conf"
    settings.write_text(f"""server:
    interface: {address}
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    chroot: ""
    username: ""
    directory: "{workdir}"
    pidfile: "{workdir}/unbound.pid"
    use-syslog: no
    module-config: "iterator"
    local-zone: "." refuse
    local-zone: "{zone}." static
{records}
remote-control:
    control-enable: no
""")
    server = Process(("unbound", "-d", "-v", "-c", str(settings)), workdir / "unbound.log", ns=ns)
    server.wait_for("start of service", 10)
    return server
