# SPDX-License-Identifier: Apache-2.0
"""Conditions of the box itself: its clock, disk, memory, kernel, programs, daemons, identity and plan."""

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.kind import Kind, Words

_INFO, _DEGRADED, _FAULT = Severity.INFO, Severity.DEGRADED, Severity.FAULT

BOX: tuple[Kind, ...] = (
    Kind(
        "power-undervoltage",
        _DEGRADED,
        Words(
            "This device gets too little voltage: the sensor {sensor} raises an alarm.",
            "Use the power supply that came with it and a short, thick cable; unplug what draws from it.",
        ),
        Words(
            "本设备供电电压过低：传感器 {sensor} 告警。",
            "使用原配电源和短而粗的电源线；拔掉从本设备取电的外设。",
        ),
        visible_after=0.0,
        clears_after=60.0,
    ),
    Kind(
        "power-battery-low",
        _FAULT,
        Words(
            "Mains power is out, and the battery has {left} % left: this device is about to stop.",
            "Bring mains power back, or shut the device down in order (`poweroff`).",
        ),
        Words("市电中断，电池仅剩 {left} %：设备即将停机。", "恢复市电，或正常关机（`poweroff`）。"),
        visible_after=0.0,
    ),
    Kind(
        "power-on-battery",
        _DEGRADED,
        Words(
            "Mains power is out: this device runs on its battery, which has {left} % left.",
            "Check the plug, the fuse and the power supply; the site runs on until the battery is empty.",
        ),
        Words(
            "市电中断：设备由电池供电，剩余 {left} %。",
            "检查插头、保险丝和电源；电池耗尽前站点继续运行。",
        ),
    ),
    Kind(
        "heat-critical",
        _FAULT,
        Words(
            "This device is too hot ({degrees} degrees): it may switch itself off at any time.",
            "Let air to it, clean its fan and vents, and take it out of the sun.",
        ),
        Words("设备过热（{degrees} 度）：随时可能自动关机。", "改善通风，清洁风扇和散热孔，避免日晒。"),
        visible_after=0.0,
        clears_after=60.0,
    ),
    Kind(
        "heat-throttled",
        _DEGRADED,
        Words(
            "This device is hot ({degrees} degrees), so its processor is slowed down.",
            "Let air to it, clean its fan and vents; tunnels are slow until it has cooled.",
        ),
        Words("设备温度高（{degrees} 度），处理器已降频。", "改善通风，清洁风扇和散热孔；降温前隧道会变慢。"),
        ("heat-critical",),
        visible_after=30.0,
        clears_after=60.0,
    ),
    Kind(
        "clock-unset",
        _FAULT,
        Words(
            "This device's clock was never set: it is before this program was made.",
            "Set the clock (`timedatectl set-time`, or let NTP out), then check its battery.",
        ),
        Words(
            "本设备的时钟从未校准：早于本程序的制作日期。",
            "校准时钟（`timedatectl set-time`，或放行 NTP），并检查电池。",
        ),
        visible_after=0.0,
    ),
    Kind(
        "clock-set-back",
        _DEGRADED,
        Words(
            "This device's clock was set back by {seconds} s while it ran.",
            "Find what sets it (NTP, a hypervisor, a person); certificates and logs depend on it.",
        ),
        Words(
            "本设备的时钟在运行中被回拨 {seconds} 秒。",
            "查找回拨时钟的来源（NTP、虚拟机平台或人工）；证书和日志都依赖它。",
        ),
        ("clock-unset", "clock-behind"),
        visible_after=0.0,
    ),
    Kind(
        "not-enrolled",
        _DEGRADED,
        Words("This device is not enrolled.", "Get a token from the operator and run `orillo enroll TOKEN`."),
        Words("本设备尚未注册。", "向运营方获取令牌，然后运行 `orillo enroll TOKEN`。"),
        ("identity-damaged",),
        visible_after=0.0,
    ),
    Kind(
        "clock-behind",
        _FAULT,
        Words(
            "This device's clock is behind: things dated in its future are in use.",
            "Set the clock (`timedatectl set-time`, or let NTP out), then check its battery.",
        ),
        Words(
            "本设备的时钟偏慢：正在使用的文件日期在未来。",
            "校准时钟（`timedatectl set-time`，或放行 NTP），并检查电池。",
        ),
        ("clock-unset",),
    ),
    Kind(
        "clock-off",
        _DEGRADED,
        Words(
            "This device's clock differs from the control endpoint's by {seconds} s.",
            "Set the clock, or let NTP (UDP 123) out, so that certificates stay valid.",
        ),
        Words("本设备的时钟与控制端相差 {seconds} 秒。", "校准时钟，或放行 NTP（UDP 123）。"),
        ("clock-behind", "clock-unset"),
        clears_after=60.0,
    ),
    Kind(
        "disk-full",
        _FAULT,
        Words(
            "The disk that holds {path} is full.",
            "Free some space (`du -xh / | sort -h | tail`): no plan can be kept until then.",
        ),
        Words("{path} 所在磁盘已满。", "清理空间（`du -xh / | sort -h | tail`），否则无法保存新的方案。"),
    ),
    Kind(
        "disk-read-only",
        _FAULT,
        Words(
            "The disk that holds {path} is read-only.",
            "Look at `dmesg` for errors of the disk; replace it, or remount it read-write.",
        ),
        Words("{path} 所在磁盘为只读。", "用 `dmesg` 查看磁盘错误；更换磁盘，或重新以读写方式挂载。"),
    ),
    Kind(
        "memory-low",
        _DEGRADED,
        Words(
            "This device is short of memory.",
            "See what uses it (`ps aux --sort=-rss | head`), and end or limit that.",
        ),
        Words("本设备内存不足。", "用 `ps aux --sort=-rss | head` 查看占用并处理。"),
        visible_after=30.0,
        clears_after=60.0,
    ),
    Kind(
        "program-missing",
        _FAULT,
        Words("The program {program} is missing.", "Install it: `apt-get install {package}`."),
        Words("缺少程序 {program}。", "安装：`apt-get install {package}`。"),
    ),
    Kind(
        "kernel-lacks-tun",
        _FAULT,
        Words(
            "The kernel can do neither ESP nor TUN, so no tunnel can be made.",
            "Load the module (`modprobe tun`, or `modprobe esp4 xfrm_interface`), or use another kernel.",
        ),
        Words(
            "内核既不支持 ESP 也不支持 TUN，无法建立隧道。",
            "加载模块（`modprobe tun`，或 `modprobe esp4 xfrm_interface`），或更换内核。",
        ),
    ),
    Kind(
        "kernel-lacks-nftables",
        _FAULT,
        Words(
            "nftables can't be used on this kernel.",
            "Load the module (`modprobe nf_tables`), or use a kernel that has it.",
        ),
        Words("当前内核无法使用 nftables。", "加载模块（`modprobe nf_tables`），或更换内核。"),
        ("program-missing",),
    ),
    Kind(
        "identity-damaged",
        _FAULT,
        Words(
            "The identity of this device on disk can't be used.",
            "Get a new token from the operator and run `orillo enroll TOKEN`.",
        ),
        Words("本设备磁盘上的身份文件不可用。", "向运营方获取新令牌，然后运行 `orillo enroll TOKEN`。"),
        visible_after=0.0,
    ),
    Kind(
        "certificate-expired",
        _FAULT,
        Words(
            "This device's certificate has expired.",
            "Check the clock; if it is right, run `orillo enroll TOKEN` with a new token.",
        ),
        Words("本设备的证书已过期。", "检查时钟；若时钟正确，用新令牌运行 `orillo enroll TOKEN`。"),
        ("clock-off", "clock-unset"),
    ),
    Kind(
        "certificate-expiring",
        _DEGRADED,
        Words(
            "This device's certificate ends soon and was not renewed.",
            "Bring the control endpoint within reach: it is renewed by itself then.",
        ),
        Words("本设备的证书即将到期且尚未更新。", "恢复与控制端的连接，证书会自动更新。"),
        visible_after=60.0,
    ),
    Kind(
        "agent-not-running",
        _FAULT,
        Words(
            "The agent is not running: the network stays as it was left.",
            "Start it: `systemctl start orillo` (or `orillo run`); its log says why it ended.",
        ),
        Words(
            "代理未运行：网络停留在最后的状态。",
            "启动：`systemctl start orillo`（或 `orillo run`），日志中有退出原因。",
        ),
    ),
    Kind(
        "agent-silent",
        _FAULT,
        Words(
            "The agent runs but does not answer.",
            "Restart it: `systemctl restart orillo`; no traffic is lost by that.",
        ),
        Words("代理在运行但没有响应。", "重启：`systemctl restart orillo`，不会中断业务。"),
        ("disk-full",),
    ),
    Kind(
        "ike-port-taken",
        _FAULT,
        Words(
            "Another program holds UDP port {port}, so our charon can't use it.",
            "Stop that program ({program}), then `systemctl restart orillo-charon`.",
        ),
        Words(
            "UDP 端口 {port} 被其他程序占用，charon 无法使用。",
            "停止该程序（{program}），然后 `systemctl restart orillo-charon`。",
        ),
    ),
    Kind(
        "charon-not-running",
        _FAULT,
        Words(
            "charon, which keeps the tunnels, is not running.",
            "Start it: `systemctl start orillo-charon` (or `orillo daemon charon`).",
        ),
        Words(
            "负责隧道的 charon 未运行。",
            "启动：`systemctl start orillo-charon`（或 `orillo daemon charon`）。",
        ),
        ("program-missing",),
    ),
    Kind(
        "charon-deaf",
        _FAULT,
        Words(
            "charon runs but has no IKE socket.",
            "Restart it: `systemctl restart orillo-charon`; look for another IPsec daemon on the box.",
        ),
        Words(
            "charon 在运行但没有 IKE 套接字。",
            "重启：`systemctl restart orillo-charon`；检查是否有其他 IPsec 程序。",
        ),
        ("ike-port-taken", "charon-not-running"),
    ),
    Kind(
        "dns-not-running",
        _FAULT,
        Words(
            "The name cache (unbound) is not running: pods can't resolve names.",
            "Start it: `systemctl start orillo-dns` (or `orillo daemon dns`).",
        ),
        Words(
            "域名缓存（unbound）未运行：容器无法解析域名。",
            "启动：`systemctl start orillo-dns`（或 `orillo daemon dns`）。",
        ),
        ("program-missing",),
    ),
    Kind(
        "plan-missing",
        _DEGRADED,
        Words(
            "This device is enrolled but has no plan yet.",
            "It comes by itself with the control endpoint in reach; else ask the operator for its Node.",
        ),
        Words("本设备已注册但还没有方案。", "连上控制端后会自动下发；否则请运营方检查该 Node。"),
        ("identity-damaged", "agent-not-running"),
    ),
    Kind(
        "plan-slot-refused",
        _DEGRADED,
        Words(
            "A plan on disk is damaged and is not used.",
            "It is replaced by the next plan; if it comes again, check the disk.",
        ),
        Words("磁盘上的一份方案已损坏，不会被使用。", "下一份方案会替换它；若再次出现，请检查磁盘。"),
        ("disk-full", "identity-damaged"),
        visible_after=0.0,
    ),
    Kind(
        "plan-refused",
        _DEGRADED,
        Words(
            "The newest plan is not used; this device goes on with the one before.",
            "Tell the operator the reason shown here: the plan has to be made anew.",
        ),
        Words("最新方案未被采用，设备继续使用上一份。", "把此处显示的原因告知运营方，重新生成方案。"),
        ("disk-full", "disk-read-only"),
        visible_after=0.0,
    ),
    Kind(
        "release-undone",
        _DEGRADED,
        Words(
            "Release {release} was tried and undone; this device goes on with the one before.",
            "Tell its maker the reason shown here, and take a newer one: `orillo update FILE`.",
        ),
        Words(
            "版本 {release} 试运行后被撤销，设备继续使用之前的版本。",
            "把此处显示的原因告知发布方，并安装更新的版本：`orillo update FILE`。",
        ),
        ("disk-full", "disk-read-only"),
        visible_after=0.0,
    ),
)
