# SPDX-License-Identifier: Apache-2.0
"""Conditions of the tunnels: IKE with charon's own reasons, the CHILD SAs, and what really passes."""

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.kind import Kind, Words
from appliance.netcore.health.kinds_uplink import NO_WAY_OUT

_INFO, _DEGRADED, _FAULT = Severity.INFO, Severity.DEGRADED, Severity.FAULT
_OUT = (*NO_WAY_OUT, "firewall-foreign-output", "captive-portal")
_CHARON = ("charon-not-running", "charon-deaf", "agent-silent")
_NO_IKE = ("hub-name-unknown", "hub-no-route", "ike-no-answer", "ike-4500-blocked", "ike-500-blocked")
_IDENTITY = ("identity-damaged", "certificate-expired", "clock-unset", "clock-behind", "identity-revoked")

TUNNELS: tuple[Kind, ...] = (
    Kind(
        "hub-name-unknown",
        _DEGRADED,
        Words(
            "The address of the hub {peer} can't be resolved.",
            "Check the name servers of this device, and the name with the operator.",
        ),
        Words("无法解析中心 {peer} 的地址。", "检查本设备的域名服务器，并与运营方核对名称。"),
        (*_OUT, "dns-no-resolver", "dns-upstream-silent", "dns-upstream-failing"),
    ),
    Kind(
        "hub-no-route",
        _DEGRADED,
        Words(
            "There is no route to the hub {peer}.",
            "Check this device's routes: `ip route get` with the address shown.",
        ),
        Words("没有到中心 {peer} 的路由。", "检查本设备的路由：对所示地址执行 `ip route get`。"),
        (*_OUT, "address-missing"),
    ),
    Kind(
        "ike-no-answer",
        _DEGRADED,
        Words(
            "The hub {peer} answers neither on UDP 500 nor on UDP 4500.",
            "Have the site's firewall let UDP 500 and 4500 out; else the hub itself is down.",
        ),
        Words(
            "中心 {peer} 在 UDP 500 与 4500 上均无响应。",
            "请放行站点防火墙的 UDP 500 与 4500；否则是中心本身故障。",
        ),
        (*_OUT, "hub-no-route", "hub-name-unknown"),
    ),
    Kind(
        "ike-4500-blocked",
        _DEGRADED,
        Words(
            "The hub {peer} answers on UDP 500, but UDP 4500 is blocked on the way.",
            "Have the site's firewall let UDP 4500 out: all tunnel traffic goes over it.",
        ),
        Words(
            "中心 {peer} 在 UDP 500 上有响应，但 UDP 4500 被阻断。",
            "请放行站点防火墙的 UDP 4500：隧道流量都走该端口。",
        ),
        (*_OUT, "hub-no-route"),
    ),
    Kind(
        "ike-500-blocked",
        _DEGRADED,
        Words(
            "The hub {peer} answers on UDP 4500, but UDP 500 is blocked on the way.",
            "Have the site's firewall let UDP 500 out: a new tunnel begins there.",
        ),
        Words(
            "中心 {peer} 在 UDP 4500 上有响应，但 UDP 500 被阻断。",
            "请放行站点防火墙的 UDP 500：新隧道由此建立。",
        ),
        (*_OUT, "hub-no-route"),
    ),
    Kind(
        "ike-no-proposal",
        _DEGRADED,
        Words(
            "The hub {peer} refuses the encryption that this device offers.",
            "The operator has to give both the same tunnel profile (ike_proposals in the plan).",
        ),
        Words(
            "中心 {peer} 拒绝本设备提供的加密算法。",
            "请运营方为两端配置相同的隧道参数（方案中的 ike_proposals）。",
        ),
        (*_OUT, *_CHARON, *_NO_IKE),
    ),
    Kind(
        "ike-wrong-identity",
        _DEGRADED,
        Words(
            "{peer} proves another identity than the plan names.",
            "Get the newest plan (`orillo status`); if it stays, the address belongs to somebody else.",
        ),
        Words("{peer} 的身份与方案不符。", "获取最新方案（`orillo status`）；若仍如此，该地址属于他人。"),
        (*_OUT, *_CHARON, *_NO_IKE, *_IDENTITY),
    ),
    Kind(
        "ike-peer-untrusted",
        _DEGRADED,
        Words(
            "The certificate of {peer} is not trusted here.",
            "Check the clock; else the CA was replaced: enrol this device again.",
        ),
        Words("{peer} 的证书在本设备上不受信任。", "检查时钟；否则 CA 已更换：请重新注册本设备。"),
        (*_OUT, *_CHARON, *_NO_IKE, *_IDENTITY),
    ),
    Kind(
        "ike-auth-failed",
        _DEGRADED,
        Words(
            "The hub {peer} does not accept this device: authentication failed.",
            "See with the operator that {peer} has the newest plan and that this device is not revoked.",
        ),
        Words("中心 {peer} 不接受本设备：认证失败。", "与运营方确认 {peer} 已有最新方案且本设备未被吊销。"),
        (*_OUT, *_CHARON, *_NO_IKE, *_IDENTITY),
    ),
    Kind(
        "ike-no-credentials",
        _DEGRADED,
        Words(
            "charon has no certificate or key of this device to prove itself with to {peer}.",
            "Restart the agent (`systemctl restart orillo`), which loads them; else enrol again.",
        ),
        Words(
            "charon 缺少本设备的证书或密钥，无法向 {peer} 证明身份。",
            "重启代理（`systemctl restart orillo`）以重新加载；否则重新注册。",
        ),
        (*_CHARON, *_IDENTITY, "agent-not-running", "table-failed"),
    ),
    Kind(
        "child-refused",
        _DEGRADED,
        Words(
            "{peer} refuses the networks or the encryption of the tunnel's inside.",
            "Both need plans of one generation: compare `orillo status` here with the operator's.",
        ),
        Words("{peer} 拒绝隧道内部的网段或加密。", "两端方案需同一代：对比本机 `orillo status` 与运营端。"),
        (*_OUT, *_CHARON, *_NO_IKE),
    ),
    Kind(
        "child-narrowed",
        _FAULT,
        Words(
            "The hub {peer} carries only a part of this site's networks.",
            "Have {peer} get the newest plan: run `orillo doctor` there, and see that its agent is online.",
        ),
        Words(
            "中心 {peer} 只承载本站点的部分网段。",
            "让 {peer} 获取最新方案：确认其代理在运行并能连上运营端（在其上运行 `orillo doctor`）。",
        ),
        (*_OUT, *_CHARON, *_NO_IKE, "agent-not-running"),
        visible_after=10.0,
    ),
    Kind(
        "child-not-installable",
        _DEGRADED,
        Words(
            "The kernel refuses to install the tunnel to {peer}.",
            "Restart charon (`systemctl restart orillo-charon`), so that it uses what the kernel can do.",
        ),
        Words(
            "内核拒绝安装到 {peer} 的隧道。",
            "重启 charon（`systemctl restart orillo-charon`），使其使用内核支持的方式。",
        ),
        ("kernel-lacks-tun", *_CHARON),
    ),
    Kind(
        "ike-down",
        _DEGRADED,
        Words(
            "There is no IKE SA with {peer}, although it answers.",
            "Wait a few seconds and look again; then restart the agent (`systemctl restart orillo`).",
        ),
        Words(
            "与 {peer} 之间没有 IKE SA，尽管对方有响应。",
            "稍候再看；之后重启代理（`systemctl restart orillo`）。",
        ),
        (
            *_OUT,
            *_CHARON,
            *_NO_IKE,
            *_IDENTITY,
            "uplink-lossy",
            "agent-not-running",
            "plan-missing",
            "ike-no-proposal",
            "ike-wrong-identity",
            "ike-peer-untrusted",
            "ike-auth-failed",
            "ike-no-credentials",
            "child-not-installable",
            "child-refused",
            "esp-blocked",
        ),
        visible_after=10.0,
    ),
    Kind(
        "esp-blocked",
        _DEGRADED,
        Words(
            "The tunnel to {peer} looks up, but nothing comes through it.",
            "Restart the site's router, which may have forgotten it; let UDP 4500 pass both ways.",
        ),
        Words(
            "到 {peer} 的隧道看似正常，但没有数据通过。",
            "重启站点路由器（可能丢失了映射），并双向放行 UDP 4500。",
        ),
        (
            *_OUT,
            *_CHARON,
            *_NO_IKE,
            "firewall-own-missing",
            "rules-bypassed",
            "table-failed",
            "firewall-foreign-input",
        ),
        visible_after=8.0,
    ),
    Kind(
        "tunnel-lossy",
        _DEGRADED,
        Words(
            "The tunnel to {peer} loses packets: {loss} % of them.",
            "Check the uplink: cable, radio signal, provider.",
        ),
        Words("到 {peer} 的隧道丢包：{loss} %。", "检查上联：网线、无线信号、运营商。"),
        ("uplink-lossy", "esp-blocked", "ike-down"),
        visible_after=30.0,
        clears_after=60.0,
    ),
    Kind(
        "mtu-black-hole",
        _DEGRADED,
        Words(
            "Large packets are lost in the tunnel to {peer}; small ones pass.",
            "Let fragments pass on the uplink, or have the operator lower the tunnel's MTU.",
        ),
        Words("到 {peer} 的隧道丢失大报文，小报文正常。", "在上联放行分片或大报文，或请运营方降低隧道 MTU。"),
        ("esp-blocked", "ike-down", "uplink-lossy", "tunnel-lossy", *_OUT),
        visible_after=15.0,
    ),
    Kind(
        "hub-none-chosen",
        _FAULT,
        Words(
            "No hub carries this site's traffic, although a tunnel is up.",
            "Look at the site child: `orillo status`; then restart the agent (`systemctl restart orillo`).",
        ),
        Words(
            "隧道已建立，但没有中心承载本站点流量。",
            "用 `orillo status` 查看 site；然后重启代理（`systemctl restart orillo`）。",
        ),
        (
            "child-refused",
            "child-narrowed",
            "child-not-installable",
            "ike-down",
            "esp-blocked",
            "ike-no-proposal",
            "agent-not-running",
            *_CHARON,
            *_OUT,
        ),
        visible_after=15.0,
    ),
    Kind(
        "tunnel-down",
        _DEGRADED,
        Words(
            "The tunnel to {peer} is down.",
            "The agent tries again by itself; `orillo doctor` looks for the reason.",
        ),
        Words("到 {peer} 的隧道已断开。", "代理会自动重试；`orillo doctor` 可查找原因。"),
        ("esp-blocked", "ike-down", "child-refused", "child-not-installable", "hub-none-chosen"),
        visible_after=10.0,
    ),
    Kind(
        "tunnels-all-down",
        _FAULT,
        Words(
            "No tunnel is up: remote sites and the cloud can't be reached.",
            "The agent tries again by itself; `orillo doctor` looks for the reason.",
        ),
        Words("没有可用隧道：无法访问其他站点和云端。", "代理会自动重试；`orillo doctor` 可查找原因。"),
        ("tunnel-down", "esp-blocked", "ike-down", "hub-none-chosen"),
        visible_after=10.0,
    ),
)
