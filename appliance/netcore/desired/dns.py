# SPDX-License-Identifier: Apache-2.0
"""Pure: the device's name cache: unbound's configuration, the cluster's names, and where the rest goes."""

from collections.abc import Iterator
from ipaddress import ip_network

from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address, host_prefix
from appliance.netcore.records import Record, UnboundConf, absolute
from appliance.paths import Paths

#: Short, so that a pod soon sees a change of a service; as long as Kubernetes' own DNS gives.
_TTL = 5

ROOT = "."
_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def records(plan: Plan) -> frozenset[Record]:
    """The names of services and the plan's own records, of both families."""
    named = {
        f"{service}.{namespace}.svc.{plan.dns.domain}": found.addresses
        for (namespace, _, service), found in ((key.partition("/"), s) for key, s in plan.services.items())
    }
    return frozenset(
        Record(absolute(name), _TTL, address)
        for name, addresses in (*named.items(), *plan.dns.records.items())
        for address in addresses
    )


def forwards(plan: Plan, facts: Facts) -> dict[str, frozenset[Address]]:
    """Name servers by zone. The plan's forward for "." goes before the host's own resolvers.

    The cache's own addresses are left out, or it would ask itself.
    """
    wanted = {absolute(zone): addresses for zone, addresses in plan.dns.forwards.items()}
    wanted.setdefault(ROOT, facts.resolvers)
    own = frozenset(listen_addresses(plan))
    found = {zone: frozenset(addresses) - own for zone, addresses in wanted.items()}
    return {zone: addresses for zone, addresses in found.items() if addresses}


def unbound_conf(plan: Plan, facts: Facts, paths: Paths) -> UnboundConf:
    """unbound.conf(5) for `orillo daemon dns`.

    Its data lets names resolve before any agent has spoken to it.
    """
    return UnboundConf(settings=_lines(_settings(plan, paths)), data=_lines(_data(plan, facts)))


def listen_addresses(plan: Plan) -> tuple[Address, ...]:
    """Where the cache answers."""
    return plan.dns.bind or plan.overlay


def _settings(plan: Plan, paths: Paths) -> Iterator[str]:
    yield "server:"
    # It starts before the link that holds these addresses is there.
    yield "\tip-freebind: yes"
    yield "\tport: 53"
    yield from (f"\tinterface: {address}" for address in listen_addresses(plan))
    yield from (f"\taccess-control: {prefix} refuse" for prefix in _EVERYWHERE)
    clients = (*_LOOPBACK, *plan.prefixes, *map(host_prefix, (*plan.overlay, *listen_addresses(plan))))
    yield from (f"\taccess-control: {prefix} allow" for prefix in dict.fromkeys(clients))
    yield "\tdo-daemonize: no"
    yield f'\tpidfile: "{paths.unbound_pid}"'
    yield '\tdirectory: ""'
    yield '\tchroot: ""'
    yield '\tusername: ""'
    yield "\tuse-syslog: no"
    yield '\tlogfile: ""'
    yield "\tnum-threads: 1"
    yield "\tmsg-cache-size: 4m"
    yield "\trrset-cache-size: 8m"
    # No validator: what we forward to has validated, and without a clock or the root it would refuse all.
    yield '\tmodule-config: "iterator"'
    yield "\tdo-not-query-localhost: no"
    yield "\tprefetch: yes"
    # How long answers took, and how many failed: for who stands in front of the device.
    yield "\textended-statistics: yes"
    # RFC 8767: after 300 ms without an answer from above, an expired one is better than none.
    yield "\tserve-expired: yes"
    yield "\tserve-expired-client-timeout: 300"
    yield "\tserve-expired-ttl: 86400"
    # A name server that was cut off is asked again soon after the cut, not after 15 minutes.
    yield "\tinfra-host-ttl: 30"
    yield "\tinfra-keep-probing: yes"
    # Static: a name that is not there does not exist, and is not asked for upstream.
    yield f'\tlocal-zone: "{absolute(plan.dns.domain)}" static'
    yield "remote-control:"
    yield "\tcontrol-enable: yes"
    yield f'\tcontrol-interface: "{paths.unbound_control}"'
    yield "\tcontrol-use-cert: no"


def _data(plan: Plan, facts: Facts) -> Iterator[str]:
    yield "server:"
    zones = sorted(forwards(plan, facts).items())
    # A forward inside a zone that unbound answers for by itself ("test.", private reverse zones) opens it.
    yield from (f'\tlocal-zone: "{zone}" transparent' for zone, _ in zones if zone != ROOT)
    yield from (f'\tlocal-data: "{text}"' for text in sorted(record.text for record in records(plan)))
    for zone, addresses in zones:
        yield "forward-zone:"
        yield f'\tname: "{zone}"'
        yield from (f"\tforward-addr: {text}" for text in sorted(map(str, addresses)))


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
