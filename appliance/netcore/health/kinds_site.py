# SPDX-License-Identifier: Apache-2.0
"""Conditions of what the site gets: routes, firewall, pods, services, names, and who else is on the box."""

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.kind import Kind, Words
from appliance.netcore.health.kinds_uplink import NO_WAY_OUT

_INFO, _DEGRADED, _FAULT = Severity.INFO, Severity.DEGRADED, Severity.FAULT
_AGENT = ("agent-not-running", "agent-silent", "plan-missing", "program-missing", "not-enrolled")

SITE: tuple[Kind, ...] = (
    Kind(
        "forwarding-off",
        _FAULT,
        Words(
            "Forwarding of IPv{version} is off: pods reach nothing outside this device.",
            "Restart the agent (`systemctl restart orillo`); find what resets {key} (sysctl.d, other tools).",
        ),
        Words(
            "IPv{version} 转发已关闭：容器无法访问设备之外。",
            "重启代理（`systemctl restart orillo`）；查找重置 {key} 的程序（sysctl.d 等）。",
        ),
        _AGENT,
        visible_after=35.0,
    ),
    Kind(
        "routes-missing",
        _FAULT,
        Words(
            "Routes of ours are missing, so traffic for other sites may go astray.",
            "Restart the agent (`systemctl restart orillo`); find what removes routes of table 7410.",
        ),
        Words(
            "缺少本系统的路由，发往其他站点的流量可能走错。",
            "重启代理（`systemctl restart orillo`）；查找删除 7410 表路由的程序。",
        ),
        _AGENT,
    ),
    Kind(
        "rules-bypassed",
        _FAULT,
        Words(
            "Another program's routing rule takes traffic for other sites away from the tunnels.",
            "Remove the rule shown (`ip rule del pref {priority}`), or have its program spare our networks.",
        ),
        Words(
            "其他程序的路由策略把发往其他站点的流量引离隧道。",
            "删除所示规则（`ip rule del pref {priority}`），或让该程序避开我们的网段。",
        ),
    ),
    Kind(
        "route-overlap",
        _DEGRADED,
        Words(
            "The local network {prefix} overlaps with networks of the fabric.",
            "Give the local network another range, or have the operator choose other pools.",
        ),
        Words("本地网络 {prefix} 与系统网段重叠。", "更换本地网段，或请运营方更换地址池。"),
        visible_after=30.0,
    ),
    Kind(
        "drift-repeated",
        _DEGRADED,
        Words(
            "Something on this device keeps undoing our {table}; the agent puts it back each time.",
            "Find the program that changes what is shown, and have it leave ours alone.",
        ),
        Words(
            "本设备上有程序反复改动本系统的{table}；代理每次都会恢复。",
            "找到改动所示对象的程序，让它不要碰本系统的对象。",
        ),
        visible_after=0.0,
        clears_after=60.0,
    ),
    Kind(
        "drift-repaired",
        _INFO,
        Words(
            "Something on this device changed our {table}; the agent has put it back.",
            "Nothing to do now; if it comes again, find the program that changes what is shown.",
        ),
        Words(
            "本设备上有程序改动了本系统的{table}，代理已恢复。",
            "暂时无需处理；若再次出现，查找改动所示对象的程序。",
        ),
        visible_after=0.0,
    ),
    Kind(
        "firewall-own-missing",
        _FAULT,
        Words(
            "Our firewall table is not loaded: policy and services do not hold.",
            "Restart the agent (`systemctl restart orillo`); find which program flushes nftables.",
        ),
        Words(
            "本系统的防火墙表未加载：策略和服务失效。",
            "重启代理（`systemctl restart orillo`）；查找清空 nftables 的程序。",
        ),
        (*_AGENT, "kernel-lacks-nftables"),
    ),
    Kind(
        "firewall-foreign-forward",
        _FAULT,
        Words(
            "Another firewall on this device drops forwarded packets, so pods are cut off.",
            "Have that firewall ({table}) accept what is forwarded from and to {bridge}.",
        ),
        Words(
            "本设备上的其他防火墙丢弃转发报文，容器被隔离。",
            "让该防火墙（{table}）放行 {bridge} 的转发流量。",
        ),
    ),
    Kind(
        "firewall-foreign-input",
        _FAULT,
        Words(
            "Another firewall on this device drops what comes in for it.",
            "Have that firewall ({table}) accept UDP 500 and 4500, and all from the tunnels.",
        ),
        Words(
            "本设备上的其他防火墙丢弃入站报文。",
            "让该防火墙（{table}）放行 UDP 500、4500 以及来自隧道的流量。",
        ),
    ),
    Kind(
        "table-failed",
        _FAULT,
        Words(
            "The agent could not put its {table} in place.",
            "Act on the reason shown; the agent tries again every 30 s.",
        ),
        Words("代理无法设置 {table}。", "按所示原因处理；代理每 30 秒重试一次。"),
        (
            "disk-full",
            "disk-read-only",
            "program-missing",
            "kernel-lacks-nftables",
            "kernel-lacks-tun",
            "charon-not-running",
            "dns-not-running",
            "dns-cache-silent",
            "identity-damaged",
            "child-not-installable",
        ),
        visible_after=5.0,
    ),
    Kind(
        "table-waiting",
        _DEGRADED,
        Words(
            "The agent waits with its {table}.",
            "It goes on by itself once what it waits for is there.",
        ),
        Words("代理的 {table} 正在等待。", "等待的条件满足后会自动继续。"),
        (
            *NO_WAY_OUT,
            "address-missing",
            "charon-not-running",
            "charon-deaf",
            "dns-not-running",
            "dns-cache-silent",
            "identity-damaged",
            "plan-missing",
            "hub-no-route",
            "captive-portal",
        ),
        visible_after=15.0,
    ),
    Kind(
        "cni-missing",
        _FAULT,
        Words(
            "The pods' network configuration is not there: no pod can start.",
            "Restart the agent (`systemctl restart orillo`); see that {path} can be written.",
        ),
        Words(
            "缺少容器网络配置：容器无法启动。", "重启代理（`systemctl restart orillo`）；确认 {path} 可写。"
        ),
        (*_AGENT, "table-failed"),
    ),
    Kind(
        "cni-shadowed",
        _DEGRADED,
        Words(
            "New pods use another network configuration, {file}, which sorts before ours.",
            "Remove or rename {file}, then restart the pods that were started with it.",
        ),
        Words("新容器使用了排在前面的另一份网络配置 {file}。", "删除或改名 {file}，然后重启受影响的容器。"),
    ),
    Kind(
        "cni-plugin-missing",
        _FAULT,
        Words(
            "The CNI plug-in {plugin} is missing: no pod can start.",
            "Install it: `apt-get install containernetworking-plugins`.",
        ),
        Words(
            "缺少 CNI 插件 {plugin}：容器无法启动。", "安装：`apt-get install containernetworking-plugins`。"
        ),
    ),
    Kind(
        "pod-addresses-used-up",
        _FAULT,
        Words(
            "All pod addresses of {prefix} are taken: no further pod can start.",
            "Remove pods that are not needed, or have the operator give this device a larger prefix.",
        ),
        Words("{prefix} 的容器地址已用完：无法再启动容器。", "删除不需要的容器，或请运营方分配更大的网段。"),
    ),
    Kind(
        "service-unanswered",
        _DEGRADED,
        Words(
            "Nobody answers for the service {service}.",
            "Start its pods, and see that they are ready and listen on their port.",
        ),
        Words("服务 {service} 没有可用后端。", "启动其容器，并确认已就绪且在监听端口。"),
        ("tunnels-all-down", "service-backend-dead"),
        visible_after=10.0,
    ),
    Kind(
        "service-backend-dead",
        _DEGRADED,
        Words(
            "A backend of {service} on this device does not answer: {backend}.",
            "Look at that pod: is it running, and does it listen? Others answer meanwhile, if there are any.",
        ),
        Words(
            "本设备上 {service} 的后端 {backend} 没有响应。",
            "检查该容器是否在运行并监听；期间由其他后端应答（如有）。",
        ),
        ("pod-bridge-down", "firewall-foreign-output", "firewall-foreign-input"),
        visible_after=5.0,
    ),
    Kind(
        "pod-bridge-down",
        _FAULT,
        Words(
            "The pods' bridge {link} is switched off.",
            "Switch it on: `ip link set {link} up`; find which program switched it off.",
        ),
        Words("容器网桥 {link} 被关闭。", "启用：`ip link set {link} up`；查找关闭它的程序。"),
    ),
    Kind(
        "dns-cache-silent",
        _FAULT,
        Words(
            "The name cache runs, but does not answer at {address}.",
            "Restart it: `systemctl restart orillo-dns`.",
        ),
        Words("域名缓存在运行，但在 {address} 上没有响应。", "重启：`systemctl restart orillo-dns`。"),
        ("dns-not-running", "agent-not-running", "plan-missing", "firewall-foreign-input"),
    ),
    Kind(
        "dns-records-wrong",
        _DEGRADED,
        Words(
            "The name cache gives another answer for {name} than the plan.",
            "Restart the agent (`systemctl restart orillo`), which tells it all names anew.",
        ),
        Words(
            "域名缓存对 {name} 的应答与方案不符。", "重启代理（`systemctl restart orillo`）以重新下发域名。"
        ),
        ("dns-cache-silent", "dns-not-running", "agent-not-running", "agent-silent"),
    ),
    Kind(
        "neighbour-charon",
        _INFO,
        Words(
            "Another IPsec daemon runs on this device.",
            "Leave its tunnels off our networks, and UDP 500 and 4500 to ours.",
        ),
        Words("本设备上还有另一个 IPsec 程序。", "避免其隧道使用我们的网段，并把 UDP 500、4500 留给我们。"),
        visible_after=0.0,
    ),
    Kind(
        "neighbour-firewall",
        _INFO,
        Words(
            "{program} manages a firewall on this device.",
            "See that it lets UDP 500 and 4500 in and out, and forwards for the pods' bridge.",
        ),
        Words("{program} 在管理本设备的防火墙。", "确认其放行 UDP 500、4500，并允许容器网桥转发。"),
        visible_after=0.0,
    ),
    Kind(
        "neighbour-kube-proxy",
        _INFO,
        Words(
            "{program} serves cluster addresses on this device, as we do.",
            "Stop one of the two: on an edge, services are ours.",
        ),
        Words("{program} 也在本设备上处理集群服务地址。", "停止其一：在边缘设备上由本系统负责服务。"),
        visible_after=0.0,
    ),
    Kind(
        "neighbour-network",
        _INFO,
        Words(
            "{program} manages links on this device.",
            "Have it leave orillo0, our tunnels and the pods' bridge unmanaged.",
        ),
        Words("{program} 在管理本设备的网口。", "让其不要管理 orillo0、隧道接口与容器网桥。"),
        visible_after=0.0,
    ),
    Kind(
        "check-unfinished",
        _INFO,
        Words(
            "The check '{check}' did not come to an end.",
            "Look at the other findings first; then run `orillo doctor` again.",
        ),
        Words("检查项“{check}”未能完成。", "先处理其他问题，再运行 `orillo doctor`。"),
        visible_after=60.0,
    ),
)
