# SPDX-License-Identifier: Apache-2.0
"""Conditions on the way to the control endpoint."""

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.kind import Kind, Words
from appliance.netcore.health.kinds_uplink import NO_WAY_OUT

_DEGRADED, _FAULT = Severity.DEGRADED, Severity.FAULT
_OUT = (*NO_WAY_OUT, "firewall-foreign-output")
_REACHED = (*_OUT, "captive-portal", "control-silent", "control-refused")
_OFFLINE = 15.0

CONTROL: tuple[Kind, ...] = (
    Kind(
        "control-name-unknown",
        _DEGRADED,
        Words(
            "The name of the control endpoint, {host}, can't be resolved.",
            "Check the name servers of this device, and the name with the operator.",
        ),
        Words("无法解析控制端的名称 {host}。", "检查本设备的域名服务器，并与运营方核对名称。"),
        (*_OUT, "captive-portal", "dns-no-resolver", "dns-upstream-silent", "dns-upstream-failing"),
        _OFFLINE,
    ),
    Kind(
        "control-silent",
        _DEGRADED,
        Words(
            "The control endpoint {host} does not answer on TCP {port}.",
            "Have the site's firewall let TCP {port} out; the site goes on with the plan it has.",
        ),
        Words(
            "控制端 {host} 在 TCP {port} 上没有响应。",
            "请放行站点防火墙的 TCP {port}；站点继续使用现有方案。",
        ),
        (*_OUT, "captive-portal"),
        _OFFLINE,
    ),
    Kind(
        "control-refused",
        _DEGRADED,
        Words(
            "The control endpoint {host} refuses connections on TCP {port}.",
            "Nothing to do on site: the operator has to start `orillo-cloud serve`.",
        ),
        Words("控制端 {host} 拒绝 TCP {port} 连接。", "现场无需处理：请运营方启动 `orillo-cloud serve`。"),
        (*_OUT, "captive-portal"),
        _OFFLINE,
    ),
    Kind(
        "proxy-in-the-way",
        _DEGRADED,
        Words(
            "A web proxy answers in place of the control endpoint {host}.",
            "Have the network let TCP {port} to {host} through without the proxy.",
        ),
        Words("有 Web 代理代替控制端 {host} 应答。", "请网络管理员让到 {host} 的 TCP {port} 不经代理直通。"),
        _REACHED,
        _OFFLINE,
    ),
    Kind(
        "tls-intercepted",
        _DEGRADED,
        Words(
            "Something on the way opens the encrypted connection to {host}.",
            "Have the network exempt {host} from TLS inspection; the issuer shown names who does it.",
        ),
        Words(
            "有设备在途中拆解到 {host} 的加密连接。",
            "请网络管理员将 {host} 排除在 TLS 检查之外；所示颁发者即其来源。",
        ),
        _REACHED,
        _OFFLINE,
    ),
    Kind(
        "control-certificate-name",
        _DEGRADED,
        Words(
            "The control endpoint's certificate is for other names than {host}.",
            "The operator has to run `orillo-cloud init --address` with {host} among the addresses.",
        ),
        Words("控制端证书的名称与 {host} 不符。", "请运营方在 `orillo-cloud init --address` 中加入 {host}。"),
        _REACHED,
        _OFFLINE,
    ),
    Kind(
        "control-certificate-expired",
        _DEGRADED,
        Words(
            "The control endpoint's certificate is not valid at this time.",
            "Check this device's clock; if it is right, the operator has to restart `orillo-cloud serve`.",
        ),
        Words("控制端证书当前无效。", "检查本设备时钟；若正确，请运营方重启 `orillo-cloud serve`。"),
        (*_REACHED, "clock-unset", "clock-behind", "clock-off"),
        _OFFLINE,
    ),
    Kind(
        "control-not-tls",
        _DEGRADED,
        Words(
            "{host} answers on TCP {port}, but does not speak TLS as an operator does.",
            "Check the address with the operator: another program may listen there.",
        ),
        Words(
            "{host} 在 TCP {port} 上应答，但不是运营端的 TLS。", "与运营方核对地址：可能是其他程序在监听。"
        ),
        (*_REACHED, "proxy-in-the-way"),
        _OFFLINE,
    ),
    Kind(
        "identity-rejected",
        _FAULT,
        Words(
            "The control endpoint does not accept this device's certificate.",
            "Get a new token from the operator and run `orillo enroll TOKEN`.",
        ),
        Words("控制端不接受本设备的证书。", "向运营方获取新令牌，然后运行 `orillo enroll TOKEN`。"),
        (*_REACHED, "identity-damaged", "certificate-expired", "clock-unset", "clock-behind"),
        _OFFLINE,
    ),
    Kind(
        "identity-revoked",
        _FAULT,
        Words(
            "The operator has revoked this device's identity.",
            "If this is a mistake, get a new token from the operator and run `orillo enroll TOKEN`.",
        ),
        Words("运营方已吊销本设备的身份。", "如属误操作，向运营方获取新令牌并运行 `orillo enroll TOKEN`。"),
        (),
        0.0,
    ),
    Kind(
        "control-failing",
        _DEGRADED,
        Words(
            "The control endpoint {host} answers with an error.",
            "Nothing to do on site: tell the operator what it answered.",
        ),
        Words("控制端 {host} 返回错误。", "现场无需处理：把返回内容告知运营方。"),
        _REACHED,
        _OFFLINE,
    ),
    Kind(
        "control-offline",
        _DEGRADED,
        Words(
            "The agent has no connection to the control endpoint.",
            "It tries again by itself; `orillo doctor` looks for the reason.",
        ),
        Words("代理未连上控制端。", "它会自动重试；`orillo doctor` 可查找原因。"),
        (
            "agent-silent",
            "control-name-unknown",
            "control-silent",
            "control-refused",
            "proxy-in-the-way",
            "tls-intercepted",
            "control-certificate-name",
            "control-certificate-expired",
            "control-not-tls",
            "identity-rejected",
            "identity-revoked",
            "control-failing",
            "certificate-expired",
            "identity-damaged",
        ),
        30.0,
    ),
)
