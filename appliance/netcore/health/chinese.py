# SPDX-License-Identifier: Apache-2.0
"""What was seen, in Chinese.

The checks say it in English. Here each of their sentences stands beside its Chinese one, by the code of the
condition; what other programs say (charon, the kernel) is left in their own words. A test finds a sentence of
a check that is not here. Only who talks to a person imports this.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter

_NO_ANSWER = ("no answer from {server} within {seconds} s", "{server} 在 {seconds} 秒内没有响应")
_HUB_SAID = (
    "{target}: UDP 500 {ike}, UDP 4500 {natt}, ping {pinged}",
    "{target}：UDP 500 {ike}，UDP 4500 {natt}，ping {pinged}",
)
_KNOCKED = ("TCP to {where}: {answer}", "到 {where} 的 TCP：{answer}")
_TRIED = ("TCP {host} port {port}: {answer}", "TCP {host} 端口 {port}：{answer}")
_NO_SEND = (
    "the kernel refuses to send UDP to {target}: operation not permitted",
    "内核拒绝向 {target} 发送 UDP：操作不被允许",
)
_BATTERY = ("{lost} is off; the battery has {left} % left", "{lost} 断电；电池剩余 {left} %")
_PROCESS = ("{program} is process {pid}", "{program} 的进程号为 {pid}")
_CHAIN = (
    ("table {table}, chain {chain}: policy drop, and no rule for the pods",
     "表 {table}，链 {chain}：默认丢弃，且没有放行容器的规则"),
    ("table {table}, chain {chain}: policy drop", "表 {table}，链 {chain}：默认丢弃"),
    ("table {table}, chain {chain}: {rule}", "表 {table}，链 {chain}：{rule}"),
)  # fmt: skip
_NO_SA = (
    ("the IKE SA is up, and the probe child is not installed", "IKE SA 已建立，但探测用的 CHILD SA 未安装"),
    ("no IKE SA is established (seen: {states})", "没有已建立的 IKE SA（所见状态：{states}）"),
    ("no IKE SA", "没有 IKE SA"),
    ("no answer through it", "隧道内没有响应"),
    ("no answer to its probe", "探测没有响应"),
    ("there is no route to its addresses", "没有到其地址的路由"),
)

#: By code; the first English sentence that fits is the one that was said.
SEEN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "release-undone": (("{release} was undone: {reason}", "{release} 已撤销：{reason}"),),
    "power-undervoltage": (("the sensor {name} raises its alarm", "传感器 {name} 告警"),),
    "power-on-battery": (_BATTERY,),
    "power-battery-low": (_BATTERY,),
    "heat-throttled": (
        ("{zone} is at {degrees} °C, beyond its trip point '{reached}'",
         "{zone} 为 {degrees} °C，超过其触发点“{reached}”"),
    ),
    "heat-critical": (
        ("{zone} is at {degrees} °C, beyond its trip point '{reached}'",
         "{zone} 为 {degrees} °C，超过其触发点“{reached}”"),
    ),
    "clock-unset": (
        ("it is {here} here, and this program was made {made}", "本机时间为 {here}，而本程序制作于 {made}"),
    ),
    "clock-set-back": (
        ("it went from {before} to {after} UTC in {seconds} s",
         "它在 {seconds} 秒内从 {before} 变为 {after} UTC"),
    ),
    "clock-behind": (
        ("it is {here} here, and the plan was issued {when}", "本机时间为 {here}，而方案签发于 {when}"),
        ("it is {here} here, and the certificate begins {when}", "本机时间为 {here}，而证书自 {when} 起有效"),
        ("it is {here} here, and the control endpoint was last seen {when}",
         "本机时间为 {here}，而上次连上控制端是在 {when}"),
        ("it is {here} here, and {what}", "本机时间为 {here}，而 {what}"),
    ),
    "clock-off": (("there it is {date}, here {now} UTC", "对方时间 {date}，本机时间 {now} UTC"),),
    "disk-read-only": (("{path} is mounted read-only", "{path} 以只读方式挂载"),),
    "disk-full": (
        ("{size} KiB and {files} files are left on the disk of {path}",
         "{path} 所在磁盘剩余 {size} KiB、{files} 个文件"),
    ),
    "memory-low": (("{left} of {total} MiB are left", "共 {total} MiB，剩余 {left} MiB"),),
    "program-missing": (
        ("{name} is not on the path", "找不到 {name}"),
        ("none of {names} is there", "以下均不存在：{names}"),
    ),
    "kernel-lacks-tun": (("{tun}; {reason}", "{tun}；{reason}"),),
    "forwarding-off": (("{key} is 0", "{key} 为 0"),),
    "not-enrolled": (
        ("no identity below {path}", "{path} 下没有身份文件"),
        ("there is no identity on disk", "磁盘上没有身份文件"),
    ),
    "identity-damaged": (
        ("certificate and key in {path}: {reason}", "{path} 中的证书与密钥：{reason}"),
    ),
    "certificate-expired": (
        ("it ended at {end} UTC; here it is {now}", "已于 {end} UTC 到期；本机时间为 {now}"),
    ),
    "certificate-expiring": (("it ends at {end} UTC, in {left}", "将于 {end} UTC 到期，剩余 {left}"),),
    "plan-missing": (
        ("neither slot below {path} holds a good plan", "{path} 下的两个槽位都没有可用方案"),
        ("no plan is on disk, and none has come yet", "磁盘上没有方案，也尚未收到"),
    ),
    "agent-not-running": (("nobody answers at {path}", "{path} 没有响应"),),
    "dns-not-running": (("no unbound by {path}", "{path} 没有对应的 unbound"),),
    "ike-port-taken": (("UDP {port} belongs to {name}", "UDP {port} 属于 {name}"),),
    "charon-not-running": (("{path} names no running charon", "{path} 没有对应的 charon"),),
    "charon-deaf": (
        ("charon (process {pid}) has no socket on UDP {ports}",
         "charon（进程 {pid}）在 UDP {ports} 上没有套接字"),
    ),
    "link-none": (("there are only inner links", "只有内部网口"),),
    "link-disabled": (("{link} is administratively down", "{link} 被管理性关闭"),),
    "link-no-carrier": (("no carrier on {links}", "{links} 没有载波"),),
    "address-missing": (("{link} has a signal, and no address", "{link} 有信号，但没有地址"),),
    "address-conflict": (("{other} answers for {own} on {link}", "{link} 上 {other} 也在应答 {own}"),),
    "route-default-missing": (
        ("{link} has {addresses}; no default route", "{link} 有 {addresses}；没有默认路由"),
    ),
    "gateway-silent": (
        ("{gateway} answers neither ARP nor ping on {link}", "{gateway} 在 {link} 上不应答 ARP 和 ping"),
    ),
    "internet-unreachable": (("no answer from {tried}", "以下均无响应：{tried}"),),
    "uplink-lossy": (
        ("{lost} of {sent} pings to {name} were lost", "到 {name} 的 {sent} 个 ping 丢了 {lost} 个"),
    ),
    "dns-no-resolver": (("no nameserver line in {path}", "{path} 中没有 nameserver"),),
    "dns-upstream-silent": (_NO_ANSWER,),
    "dns-upstream-failing": (("{server} answers SERVFAIL", "{server} 返回 SERVFAIL"),),
    "captive-portal": (
        ("http://{host}/ is answered by {status}, {target}", "http://{host}/ 的应答为 {status}，{target}"),
    ),
    "firewall-foreign-output": (_NO_SEND, _KNOCKED),
    "control-name-unknown": (_KNOCKED, _TRIED),
    "control-silent": (_KNOCKED, _TRIED),
    "control-refused": (_KNOCKED, _TRIED),
    "control-failing": (
        ("{where} accepts a connection and then says nothing", "{where} 接受连接后没有任何回应"),
        ("{where} answered {status}", "{where} 返回 {status}"),
    ),
    "identity-rejected": (
        ("{where} hung up after the handshake: {error}", "{where} 在握手后挂断：{error}"),
        ("{where}: {reason}", "{where}：{reason}"),
    ),
    "identity-revoked": (("{where} answered {status}", "{where} 返回 {status}"),),
    "tls-intercepted": (
        ("its certificate is from {issuer}, not from our CA", "其证书由 {issuer} 签发，而非我们的 CA"),
    ),
    "proxy-in-the-way": (
        ("{where} answers plain HTTP: {status}", "{where} 以明文 HTTP 应答：{status}"),
    ),
    "control-not-tls": (
        ("{reason}; plain HTTP: {status}", "{reason}；明文 HTTP：{status}"),
    ),
    "control-offline": (("it was not reached yet", "尚未连上过"),),
    "hub-name-unknown": (("no address for {name}", "{name} 没有地址"),),
    "hub-no-route": (("no route to {target}", "没有到 {target} 的路由"),),
    "ike-no-answer": (_NO_SEND, _HUB_SAID),
    "ike-4500-blocked": (_HUB_SAID,),
    "ike-500-blocked": (_HUB_SAID,),
    "ike-down": _NO_SA,
    "tunnel-down": _NO_SA,
    "tunnels-all-down": (
        ("none of {names} answers through its tunnel", "{names} 都不在隧道内应答"),
        ("{names} down", "{names} 断开"),
    ),
    "hub-none-chosen": (
        ("{names} up, and no site child is installed", "{names} 正常，但没有安装 site 的 CHILD SA"),
    ),
    "child-narrowed": (("the site child lacks {networks}", "site 的 CHILD SA 缺少 {networks}"),),
    "esp-blocked": (
        ("SAs are installed; 0 of {sent} pings to {target} came back",
         "SA 已安装；到 {target} 的 {sent} 个 ping 均无返回"),
    ),
    "tunnel-lossy": (
        ("{lost} of {sent} pings to {target} were lost", "到 {target} 的 {sent} 个 ping 丢了 {lost} 个"),
    ),
    "mtu-black-hole": (
        ("0 of 4 pings of {size} bytes to {target} came back, small ones do",
         "到 {target} 的 {size} 字节 ping 全部丢失，小报文正常"),
    ),
    "routes-missing": (
        ("no unreachable route for {prefixes}", "缺少 {prefixes} 的 unreachable 路由"),
        ("no rule 7410 for {families}", "{families} 缺少规则 7410"),
    ),
    "rules-bypassed": (
        ("{rule}: {address} of {peer} would leave by {link}", "{rule}：{peer} 的 {address} 会从 {link} 出去"),
        ("{rule}: {what}", "{rule}：{what}"),
    ),
    "route-overlap": (("{prefix} is on {link}", "{prefix} 在 {link} 上"),),
    "drift-repeated": (
        ("{count} times in 5 minutes, last: {what}", "5 分钟内 {count} 次，最近一次：{what}"),
    ),
    "firewall-own-missing": (("there is no table inet orillo", "没有表 inet orillo"),),
    "firewall-foreign-forward": _CHAIN,
    "firewall-foreign-input": _CHAIN,
    "table-failed": (("{table}: {count} failed: {reason}", "{table}：{count} 项失败：{reason}"),),
    "table-waiting": (("{table}: {count} wait: {reason}", "{table}：{count} 项等待：{reason}"),),
    "cni-missing": (("{path} is not there", "{path} 不存在"),),
    "cni-shadowed": (("{path} has {files}", "{path} 中有 {files}"),),
    "cni-plugin-missing": (("neither in {paths}", "不在以下目录：{paths}"),),
    "pod-addresses-used-up": (("{used} of {room} are taken", "共 {room} 个，已用 {used} 个"),),
    "service-unanswered": (
        ("no live backend for {port} of {count}", "{port} 的 {count} 个后端全部不可用"),
    ),
    "service-backend-dead": (
        ("no TCP connection to {address} port {port}", "无法与 {address} 端口 {port} 建立 TCP 连接"),
    ),
    "pod-bridge-down": (("{link} is administratively down", "{link} 被管理性关闭"),),
    "dns-cache-silent": (_NO_ANSWER,),
    "dns-records-wrong": (
        ("{server} says {answer}, not {right}", "{server} 返回 {answer}，而非 {right}"),
    ),
    "neighbour-charon": (_PROCESS,),
    "neighbour-firewall": (_PROCESS,),
    "neighbour-kube-proxy": (_PROCESS,),
    "neighbour-network": (_PROCESS,),
    "check-unfinished": (
        ("it took longer than {seconds} s", "耗时超过 {seconds} 秒"),
        ("a fault of this program: {error}", "本程序内部错误：{error}"),
    ),
}  # fmt: skip

#: Words that stand in for `{name}`s.
_VALUES = {
    "answered": "有响应",
    "silent": "无响应",
    "refused": "被拒绝",
    "blocked": "被阻断",
    "no-route": "无路由",
    "no-name": "无法解析",
    "open": "开放",
    "no answer": "无应答",
    "no target": "无目标",
    "no such name": "无此名称",
    "none": "无",
    "somebody else": "他人",
    "kernel settings": "内核参数",
    "names": "域名",
    "pod network": "容器网络",
    "pod gateways": "容器网关",
    "routes": "路由",
    "rules": "路由策略",
    "links": "网口",
    "hub-links": "中心间链路",
    "sysctls": "内核参数",
    "firewall": "防火墙",
    "connections": "隧道连接",
    "credentials": "隧道凭据",
    "dns": "域名缓存配置",
    "dns-records": "域名记录",
    "dns-forwards": "域名转发",
    "cni": "容器网络",
    "pod-gateways": "容器网关",
    "the control endpoint": "控制端",
    "passive": "降频",
    "hot": "过热",
    "critical": "临界",
}


def word(text: str) -> str:
    """A word of ours in Chinese; what is none of ours stays."""
    return _VALUES.get(text, text)


def evidence(code: str, text: str) -> str:
    """What was seen, in Chinese; in the words in which it came if they are others' own."""
    for english, chinese in SEEN.get(code, ()):
        found = _pattern(english).fullmatch(text)
        if found is not None:
            return chinese.format_map({name: word(value) for name, value in found.groupdict().items()})
    return text


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name:
            parts.append(f"(?P<{name}>.+?)")
    return re.compile("".join(parts), re.DOTALL)
