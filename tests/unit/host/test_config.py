# SPDX-License-Identifier: Apache-2.0
"""What an owner may write on the boot-config partition, and what they are told when it is wrong."""

from pathlib import Path

import pytest

from appliance.host.applied import environment, keep, kept, render, shadow, toml, wipe_token
from appliance.host.config import Console, HostConfig, parse
from appliance.host.errors import HostConfigError
from appliance.host.network import wireless_files
from appliance.host.source import find, from_imager, from_nocloud
from appliance.paths import Paths
from appliance.settings import Proxy, load_settings

_TOKEN = "orillo1.secret-that-nobody-may-see"  # noqa: S105
_WHOLE = f"""
token = "{_TOKEN}"
name = "shop-17"
locale = "zh_CN.UTF-8"

[[uplink]]
link = "eth0"
address = ["192.0.2.10/24", "2001:db8::10/64"]
gateway = ["192.0.2.1", "2001:db8::1"]
dns = ["192.0.2.53"]

[[uplink]]
link = "eth1"
vlan = 7

[[uplink]]
link = "wlan0"
ssid = "shop"
passphrase = "not so secret"

[proxy]
url = "http://192.0.2.80:3128"

[log]
level = "debug"

[dns]
resolvers = ["192.0.2.54"]
"""


def test_a_whole_file_is_read() -> None:
    config = parse(_WHOLE, "orillo.toml")
    assert (config.token, config.name, config.locale) == (_TOKEN, "shop-17", "zh_CN.UTF-8")
    assert [uplink.name for uplink in config.uplink] == ["eth0", "eth1.7", "wlan0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token = ", "not TOML"),
        ("tokn = 'x'", "tokn"),
        ("name = 'a b'", "name"),
        ("[[uplink]]\nlink = 'eth0'\ngateway = ['192.0.2.1']", "gateway and no address"),
        ("[[uplink]]\nlink = 'eth0'\n[[uplink]]\nlink = 'eth0'", "eth0 is an uplink twice"),
        ("[[uplink]]\nlink = 'eth0'\npassphrase = 'long enough'", "no ssid"),
        ("[[uplink]]\nlink = 'eth0'\naddress = ['192.0.2.10']", "uplink[0].address"),
        ("[[uplink]]\nlink = 'eth0'\nvlan = 4095", "vlan"),
        ("[[uplink]]\nlink = '52:54:00:00:00:01'\nvlan = 7", "name its link"),
        ("plan = 'site.json'", "plan and plan_key go together"),
        ("[proxy]\nurl = 'ftp://x'", "proxy.url"),
        ("[console]\npassword_hash = 'plain'", "console.password_hash"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(HostConfigError) as refused:
        parse(text, "orillo.toml")
    assert "orillo.toml" in str(refused.value)
    assert said in str(refused.value)


def test_no_refusal_shows_a_secret() -> None:
    with pytest.raises(HostConfigError) as refused:
        parse(
            f'token = "{_TOKEN}"\n[[uplink]]\nlink = "wlan0"\nssid = "x"\npassphrase = "short"', "orillo.toml"
        )
    assert _TOKEN not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_wiped_token_is_gone_from_the_file_and_changes_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "orillo.toml"
    file.write_text(_WHOLE)
    before = find(tmp_path)
    assert before is not None
    wipe_token(file, before.config.token)
    assert _TOKEN.encode() not in file.read_bytes()
    assert len(file.read_bytes()) == len(_WHOLE.encode())
    after = find(tmp_path)
    assert after is not None
    assert after.config.token.strip() == ""
    assert after.digest == before.digest


def test_imagers_preseed_is_understood() -> None:
    config = from_imager(
        """
config_version = 1
[system]
hostname = "shop-17"
[user]
name = "pi"
password = "$y$j9T$abc"
password_encrypted = true
[wlan]
ssid = "shop"
password = "not so secret"
password_encrypted = false
[orillo]
token = "orillo1.x"
""",
        "custom.toml",
    )
    assert (config.name, config.token) == ("shop-17", "orillo1.x")
    assert [uplink.name for uplink in config.uplink] == ["eth0", "wlan0"]
    assert config.console == Console("$y$j9T$abc")


#: As Imager 1.8 writes it for an image of one's own; its `if` has an `else` for older systems.
_FIRST_RUN = """#!/bin/bash
set +e
CURRENT_HOSTNAME=`cat /etc/hostname | tr -d " \\t\\n\\r"`
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom set_hostname shop-17
else
   echo shop-17 >/etc/hostname
fi
if [ -f /usr/lib/userconf-pi/userconf ]; then
   /usr/lib/userconf-pi/userconf 'pi' '$5$abc$def'
fi
if [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then
   /usr/lib/raspberrypi-sys-mods/imager_custom set_wlan 'the shop' '%s' 'GB'
else
cat >/etc/wpa_supplicant/wpa_supplicant.conf <<'WPAEOF'
country=GB
WPAEOF
fi
rm -f /boot/firstrun.sh
exit 0
"""


def test_the_script_that_imager_writes_is_read_and_not_run(tmp_path: Path) -> None:
    """On the first partition of the card, with a token beside it, which is wiped where it stands."""
    esp, boot_config = tmp_path / "efi", tmp_path / "boot"
    boot_config.mkdir()
    esp.mkdir()
    (esp / "firstrun.sh").write_text(_FIRST_RUN % ("0f" * 32))
    (esp / "token.txt").write_text("orillo1.x\n")
    found = find(boot_config, esp)
    assert found is not None
    assert (found.config.name, found.config.token) == ("shop-17", "orillo1.x")
    assert (found.file.name, found.token_file) == ("firstrun.sh", esp / "token.txt")
    assert found.config.console == Console("$5$abc$def")
    wired, wireless = found.config.uplink
    assert (wired.link, wireless.link, wireless.ssid, wireless.country) == ("eth0", "wlan0", "the shop", "GB")
    written = wireless_files(found.config)["wlan0"]
    # The key as it is: in quotes it would be a passphrase of 64 letters, which there is not.
    assert f"  psk={'0f' * 32}\n" in written
    assert "country=GB\n" in written
    # Ours comes first, wherever it is.
    (boot_config / "orillo.toml").write_text('name = "first"')
    ours = find(boot_config, esp)
    assert ours is not None
    assert ours.config.name == "first"


def test_clouds_user_data_is_understood() -> None:
    config = from_nocloud("#cloud-config\nhostname: shop-17\norillo:\n  token: orillo1.x\n", "user-data")
    assert (config.name, config.token) == ("shop-17", "orillo1.x")
    with pytest.raises(HostConfigError, match="scripts are not run"):
        from_nocloud("#!/bin/sh\nreboot\n", "user-data")


def test_our_own_file_comes_first_and_none_is_none(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    (tmp_path / "token.txt").write_text("orillo1.x\n")
    (tmp_path / "user-data").write_text("#cloud-config\nhostname: second\n")
    found = find(tmp_path)
    assert found is not None
    assert found.config.name == "second"
    (tmp_path / "orillo.toml").write_text('name = "first"')
    found = find(tmp_path)
    assert found is not None
    assert found.config.name == "first"


def test_what_is_kept_comes_back_without_its_token(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    config = parse(_WHOLE, "orillo.toml")
    keep(paths, "digest", config)
    again = kept(paths)
    assert again is not None
    assert again.digest == "digest"
    assert again.config.token == ""
    assert again.config.uplink == config.uplink
    for path in paths.host_state.iterdir():
        assert _TOKEN.encode() not in path.read_bytes()
    settings = load_settings(paths.host_state / "orillo.toml")
    assert (settings.log.level, [str(address) for address in settings.dns.resolvers]) == (
        "debug",
        ["192.0.2.54"],
    )


def test_what_holds_secrets_is_for_root_alone(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    render(paths, parse(_WHOLE, "orillo.toml"))
    for name in ("wpa_supplicant-wlan0.conf", "shadow", "environment"):
        assert (paths.host_run / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in paths.networkd.iterdir()) == [
        "50-orillo-eth0.network",
        "50-orillo-eth1.7.netdev",
        "50-orillo-eth1.7.network",
        "50-orillo-eth1.network",
        "50-orillo-wlan0.network",
    ]


def test_nobody_logs_in_without_a_password_being_set() -> None:
    assert shadow(HostConfig()).startswith("root:!*:")
    assert shadow(HostConfig(console=Console("$y$j9T$abc"))).startswith("root:$y$j9T$abc:")


def test_the_environment_of_the_services_names_the_locale() -> None:
    assert environment(HostConfig()) == "LANG=en_US.UTF-8\n"


def test_the_agent_finds_the_proxy_in_its_settings(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    keep(paths, "x", HostConfig(proxy=Proxy("http://shop:secret@192.0.2.80:3128")))
    written = paths.host_state / "orillo.toml"
    assert load_settings(written).proxy.url == "http://shop:secret@192.0.2.80:3128"
    assert written.stat().st_mode & 0o777 == 0o600


def test_settings_are_written_as_toml(tmp_path: Path) -> None:
    (tmp_path / "orillo.toml").write_text(toml({"metrics": {"address": "127.0.0.1", "port": 9411}}))
    settings = load_settings(tmp_path / "orillo.toml")
    assert (str(settings.metrics.address), settings.metrics.port) == ("127.0.0.1", 9411)
