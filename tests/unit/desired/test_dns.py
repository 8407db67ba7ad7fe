# SPDX-License-Identifier: Apache-2.0
"""The name cache's configuration and data."""

from ipaddress import ip_address
from pathlib import Path

import msgspec

from appliance.netcore.desired.dns import forwards, records, unbound_conf
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Dns, Plan
from appliance.netcore.records import Record, UnboundConf
from appliance.paths import Paths
from tests.unit.plan.plans import edge_plan

ONE, TWO, CACHE = (ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "169.254.20.10"))

SETTINGS = """\
server:
	ip-freebind: yes
	port: 53
	interface: 169.254.20.10
	access-control: 0.0.0.0/0 refuse
	access-control: ::/0 refuse
	access-control: 127.0.0.0/8 allow
	access-control: ::1/128 allow
	access-control: 10.200.1.0/24 allow
	access-control: fd00:200:0:1::/64 allow
	access-control: 10.255.0.1/32 allow
	access-control: fd00:255::1/128 allow
	access-control: 169.254.20.10/32 allow
	do-daemonize: no
	pidfile: "/r/run/orillo/unbound.pid"
	directory: ""
	chroot: ""
	username: ""
	use-syslog: no
	logfile: ""
	num-threads: 1
	msg-cache-size: 4m
	rrset-cache-size: 8m
	module-config: "iterator"
	do-not-query-localhost: no
	prefetch: yes
	extended-statistics: yes
	serve-expired: yes
	serve-expired-client-timeout: 300
	serve-expired-ttl: 86400
	infra-host-ttl: 30
	infra-keep-probing: yes
	local-zone: "cluster.local." static
remote-control:
	control-enable: yes
	control-interface: "/r/run/orillo/unbound.ctl"
	control-use-cert: no
"""

DATA = """\
server:
	local-zone: "corp.example." transparent
	local-data: "registry.example.com. 5 IN A 192.0.2.1"
	local-data: "web.default.svc.cluster.local. 5 IN A 10.96.0.10"
forward-zone:
	name: "."
	forward-addr: 192.0.2.1
	forward-addr: 192.0.2.2
forward-zone:
	name: "corp.example."
	forward-addr: 192.0.2.2
"""


def plan_of(**dns: object) -> Plan:
    return msgspec.structs.replace(edge_plan(), dns=msgspec.structs.replace(Dns(bind=(CACHE,)), **dns))


def test_the_file_is_this() -> None:
    plan = plan_of(records={"Registry.Example.com": (ONE,)}, forwards={"corp.example": (TWO,)})
    conf = unbound_conf(plan, Facts(resolvers=(TWO, ONE)), Paths(Path("/r")))
    assert conf == UnboundConf(SETTINGS, DATA)


def test_the_file_comes_apart_again() -> None:
    conf = UnboundConf(SETTINGS, DATA)
    assert UnboundConf.parse(conf.text) == conf
    assert UnboundConf.parse("server:\n") == UnboundConf("server:\n", "")


def test_a_service_has_a_name_on_each_of_its_families() -> None:
    plan = plan_of(domain="Lab.Local.")
    web = msgspec.structs.replace(
        plan.services["default/web"], addresses=(ip_address("10.96.0.10"), ip_address("fd00:96::10"))
    )
    found = records(msgspec.structs.replace(plan, services={"default/web": web}))
    assert sorted(record.text for record in found) == [
        "web.default.svc.lab.local. 5 IN A 10.96.0.10",
        "web.default.svc.lab.local. 5 IN AAAA fd00:96::10",
    ]
    assert Record("web.default.svc.lab.local.", 5, ip_address("10.96.0.10")) in found


def test_the_plans_forward_goes_before_the_hosts_resolvers() -> None:
    facts = Facts(resolvers=(TWO,))
    assert forwards(plan_of(forwards={".": (ONE,)}), facts) == {".": frozenset({ONE})}
    assert forwards(plan_of(), facts) == {".": frozenset({TWO})}
    assert forwards(plan_of(), Facts()) == {}


def test_the_cache_does_not_ask_itself() -> None:
    assert forwards(plan_of(), Facts(resolvers=(CACHE, ONE))) == {".": frozenset({ONE})}
    assert forwards(plan_of(), Facts(resolvers=(CACHE,))) == {}


def test_without_an_address_of_its_own_it_listens_on_the_overlay() -> None:
    settings = unbound_conf(plan_of(bind=()), Facts(), Paths()).settings
    assert "\tinterface: 10.255.0.1\n\tinterface: fd00:255::1\n" in settings
