# SPDX-License-Identifier: Apache-2.0
"""The checks of the demo, in the order in which they run. A name that is not listed here does not run."""

from tests.lab.demo.check import Check
from tests.lab.demo.checks import (
    cluster,
    communities,
    crash,
    enrolment,
    hubs,
    names,
    offline,
    policy,
    purging,
    reach,
    refusals,
    services,
    terminal,
    wire,
)

#: `encrypted` looks back at all that ran before it, and `purge` leaves nothing to look at.
CHECKS = (
    Check("enrolled", enrolment.enrolled),
    Check("edge-to-cloud", reach.edge_to_cloud),
    Check("cloud-to-edge", reach.cloud_to_edge),
    Check("edge-to-edge", reach.edge_to_edge),
    Check("not-in-community", reach.not_in_community),
    Check("relay-across-hubs", hubs.relay_across_hubs),
    Check("fail-closed", wire.fail_closed),
    Check("hub-failover", hubs.hub_failover),
    Check("service-nearest", services.service_nearest),
    Check("service-spill", services.service_spill),
    Check("dns", names.dns),
    Check("terminal", terminal.terminal),
    Check("cut-uplink", offline.cut_uplink),
    Check("cold-boot-offline", offline.cold_boot_offline),
    Check("agent-crash", crash.agent_crash),
    Check("policy-change", policy.policy_change),
    Check("one-way", communities.one_way),
    Check("lan-host", communities.lan_host),
    Check("community-spill", communities.community_spill),
    Check("bad-input", refusals.bad_input),
    Check("encrypted", wire.encrypted),
    Check("purge", purging.purge),
)

#: With `--kubernetes`, kubectl tells how devices are; what `orillo-cloud apply` refuses is not asked there.
KUBERNETES_CHECKS = (
    *(check for check in CHECKS[:5]),
    Check("kubectl-devices", cluster.kubectl_devices),
    *(check for check in CHECKS[5:] if check.id != "bad-input"),
)
