# SPDX-License-Identifier: Apache-2.0
"""Conditions of the way out: link, address, gateway, what is behind it, and who answers for names."""

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.kind import Kind, Words

_INFO, _DEGRADED, _FAULT = Severity.INFO, Severity.DEGRADED, Severity.FAULT

#: What takes a whole uplink away.
LINK = ("link-none", "link-disabled", "link-no-carrier")
NO_WAY_OUT = (*LINK, "route-default-missing", "internet-unreachable", "firewall-foreign-input")

UPLINK: tuple[Kind, ...] = (
    Kind(
        "link-none",
        _FAULT,
        Words(
            "This device has no network port but its own inner ones.",
            "Check that the network card is plugged in, and its driver (`dmesg | grep -i eth`).",
        ),
        Words("本设备没有任何对外网口。", "检查网卡是否插好及其驱动（`dmesg | grep -i eth`）。"),
        visible_after=2.0,
    ),
    Kind(
        "link-disabled",
        _FAULT,
        Words(
            "The network port {link} is switched off by configuration.",
            "Switch it on: `ip link set {link} up`, and in the host's network settings.",
        ),
        Words("网口 {link} 在配置中被关闭。", "启用：`ip link set {link} up`，并修改主机网络配置。"),
        visible_after=2.0,
    ),
    Kind(
        "link-no-carrier",
        _FAULT,
        Words(
            "No signal on the network port {link}: no cable, or nothing at its far end.",
            "Plug the cable of {link} in, try another one, and see that the router has power.",
        ),
        Words(
            "网口 {link} 无信号：未插网线或对端无电。", "插好 {link} 的网线，换一根试试，并确认路由器已通电。"
        ),
        visible_after=2.0,
    ),
    Kind(
        "address-missing",
        _FAULT,
        Words(
            "The network port {link} has no IP address.",
            "Check that DHCP runs on this network, or set the address that the site was given.",
        ),
        Words("网口 {link} 没有 IP 地址。", "检查该网络的 DHCP，或设置分配给本站点的地址。"),
        LINK,
    ),
    Kind(
        "address-conflict",
        _FAULT,
        Words(
            "Another machine on {link} uses this device's address {address}.",
            "Find the machine with the hardware address shown, and give one of the two another address.",
        ),
        Words(
            "{link} 上有另一台机器使用了本设备的地址 {address}。",
            "按显示的硬件地址找到那台机器，并修改其中一方的地址。",
        ),
        LINK,
    ),
    Kind(
        "route-default-missing",
        _FAULT,
        Words(
            "There is no default route: nothing outside the local network can be reached.",
            "Check that DHCP gives a router, or set one: `ip route add default via ROUTER`.",
        ),
        Words(
            "没有默认路由：无法访问本地网络以外。",
            "检查 DHCP 是否下发网关，或设置：`ip route add default via 网关`。",
        ),
        (*LINK, "address-missing"),
    ),
    Kind(
        "gateway-silent",
        _FAULT,
        Words(
            "The router {gateway} does not answer.",
            "Restart the router, and see that this device is in the right port and network of it.",
        ),
        Words("路由器 {gateway} 没有响应。", "重启路由器，并确认本设备接在正确的端口和网络。"),
        (*LINK, "address-missing", "address-conflict", "route-default-missing"),
    ),
    Kind(
        "firewall-foreign-output",
        _FAULT,
        Words(
            "A firewall on this device keeps its own packets to {target} from leaving.",
            "Let UDP 500 and 4500 and TCP 443 out in that firewall; see the rule shown.",
        ),
        Words(
            "本设备上的其他防火墙阻止了发往 {target} 的报文。",
            "在该防火墙中放行 UDP 500、4500 与 TCP 443，参见所示规则。",
        ),
    ),
    Kind(
        "internet-unreachable",
        _FAULT,
        Words(
            "The router answers, but nothing beyond it does: the uplink is cut.",
            "Check the modem and the provider's line; the site goes on with what is local.",
        ),
        Words(
            "路由器有响应，但其后无任何响应：上联中断。", "检查调制解调器和运营商线路；站点本地业务继续运行。"
        ),
        (
            *LINK,
            "address-missing",
            "address-conflict",
            "route-default-missing",
            "gateway-silent",
            "firewall-foreign-output",
            "firewall-foreign-input",
        ),
    ),
    Kind(
        "uplink-lossy",
        _DEGRADED,
        Words(
            "The uplink loses packets: {loss} % of them.",
            "Check cable and radio signal; ask the provider. Tunnels stay, but are slow.",
        ),
        Words("上联丢包：{loss} %。", "检查网线和无线信号，联系运营商。隧道仍在，但会变慢。"),
        ("internet-unreachable", "address-conflict"),
        visible_after=30.0,
        clears_after=60.0,
    ),
    Kind(
        "dns-no-resolver",
        _DEGRADED,
        Words(
            "This device knows no name server to ask.",
            "Let DHCP give one, or set `resolvers` under [dns] in orillo.toml.",
        ),
        Words("本设备没有可用的域名服务器。", "由 DHCP 下发，或在 orillo.toml 的 [dns] 中设置 `resolvers`。"),
    ),
    Kind(
        "dns-upstream-silent",
        _DEGRADED,
        Words(
            "The name server {server} does not answer.",
            "Check that UDP 53 to it is open, or set other `resolvers` under [dns] in orillo.toml.",
        ),
        Words(
            "域名服务器 {server} 没有响应。",
            "检查到它的 UDP 53 是否放行，或在 orillo.toml 的 [dns] 中更换 `resolvers`。",
        ),
        NO_WAY_OUT,
        visible_after=15.0,
    ),
    Kind(
        "dns-upstream-failing",
        _DEGRADED,
        Words(
            "The name server {server} answers, but can't resolve names.",
            "Set other `resolvers` under [dns] in orillo.toml, or ask who runs that server.",
        ),
        Words(
            "域名服务器 {server} 有响应但无法解析。",
            "在 orillo.toml 的 [dns] 中更换 `resolvers`，或联系其管理者。",
        ),
        NO_WAY_OUT,
        visible_after=15.0,
    ),
    Kind(
        "captive-portal",
        _FAULT,
        Words(
            "A login page stands between this device and the internet.",
            "Sign this device in on that page, or have the network let it out without one.",
        ),
        Words("本设备与互联网之间有登录认证页面。", "在该页面为本设备登录，或让网络管理员免认证放行。"),
        NO_WAY_OUT,
    ),
)
