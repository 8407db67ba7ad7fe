# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud init`: keys, store and settings of a new operator."""

import argparse
from ipaddress import IPv4Network, IPv6Network, ip_network

from cloud.app import utc_now
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.faults import CommandError, Exit
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.settings import Pools, Settings, SettingsError, check, write_settings
from cloud.store.lock import WriterLock
from cloud.store.store import Store


def declare(parser: argparse.ArgumentParser) -> None:
    """The settings that are known from the start; the file has them afterwards."""
    parser.add_argument("--cluster", required=True, metavar="NAME", help="name of the fabric, a DNS label")
    parser.add_argument(
        "--address", required=True, metavar="IP_OR_DNS[,...]", help="where devices reach the operator"
    )
    parser.add_argument(
        "--control-port", type=int, default=443, metavar="PORT", help="for enrolled devices (443)"
    )
    parser.add_argument("--enroll-port", type=int, default=8443, metavar="PORT", help="for enrolment (8443)")
    parser.add_argument("--domain", default="cluster.local", help="the cluster's DNS domain (cluster.local)")
    for option, default in (
        ("--pod-pool", Pools().pods),
        ("--overlay-pool", Pools().overlay),
        ("--service-range", Pools().services),
    ):
        shown = ", ".join(map(str, default))
        parser.add_argument(
            option, action="append", type=_prefix, metavar="PREFIX", help=f"repeatable ({shown})"
        )
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Make all of it, the settings last: with them there, the operator is complete."""
    settings = _settings(arguments)
    for path in (paths.settings, paths.keys, paths.database):
        if path.exists():
            remedy = "leave it as it is, or take that away first, or give another --root"
            raise CommandError(f"there is an operator here already: {path} exists; {remedy}", Exit.CANNOT_RUN)
    make_private_directory(paths.state)
    lock = WriterLock.take(paths.lock)
    if lock is None:
        raise CommandError(f"another orillo-cloud holds {paths.lock}: end it first", Exit.CANNOT_RUN)
    with lock:
        make_private_directory(paths.keys)
        issuer = Issuer.create(paths.keys, settings.cluster, utc_now())
        PlanKey.create(paths.keys / "plan.key")
        Store.open(paths.database).close()
        write_settings(paths.settings, settings)
    _tell(arguments, paths, settings, issuer.pin)
    return Exit.OK


def _tell(arguments: argparse.Namespace, paths: CloudPaths, settings: Settings, pin: str) -> None:
    facts = {
        "cluster": settings.cluster,
        "settings": str(paths.settings),
        "state": str(paths.state),
        "control_url": settings.control_url,
        "enroll_url": settings.enroll_url,
        "ca_pin": pin,
    }
    if arguments.output == "json":
        return print_json(facts)
    print(f"Made the operator of {settings.cluster}.")
    print(f"Settings are in {paths.settings}, keys and store in {paths.state}.")
    print(f"Devices enrol at {settings.enroll_url} and get their plans at {settings.control_url}.")
    print(f"SHA-256 of the CA certificate: {pin}")
    print("Next: orillo-cloud serve; orillo-cloud apply -f FILE; orillo-cloud token create --name NODE")
    return None


def _settings(arguments: argparse.Namespace) -> Settings:
    standard = Pools()
    settings = Settings(
        cluster=arguments.cluster,
        addresses=tuple(part for text in arguments.address.split(",") if (part := text.strip())),
        control_port=arguments.control_port,
        enroll_port=arguments.enroll_port,
        domain=arguments.domain,
        pools=Pools(
            pods=tuple(arguments.pod_pool or standard.pods),
            overlay=tuple(arguments.overlay_pool or standard.overlay),
            services=tuple(arguments.service_range or standard.services),
        ),
    )
    try:
        check(settings)
    except SettingsError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    return settings


def _prefix(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
