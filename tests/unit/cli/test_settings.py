# SPDX-License-Identifier: Apache-2.0
"""`orillo.toml`: read strictly, and refused in words."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.settings import Settings, SettingsError, load_settings


def test_missing_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "orillo.toml") == Settings()


def test_what_is_set_is_read(tmp_path: Path) -> None:
    file = tmp_path / "orillo.toml"
    file.write_text('[log]\nlevel = "debug"\n[dns]\nresolvers = ["192.0.2.53", "2001:db8::53"]\n')
    settings = load_settings(file)
    assert settings.log.level == "debug"
    assert settings.dns.resolvers == (ip_address("192.0.2.53"), ip_address("2001:db8::53"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[logs]\n", ["unknown section [logs]", "log, dns"]),
        ("[log]\nlevle = 1\n", ["unknown key log.levle", "level"]),
        ('[log]\nlevel = "loud"\n', ["log.level", "loud"]),
        ("[log]\nlevel = 3\n", ["log.level"]),
        ('[dns]\nresolvers = ["here"]\n', ["dns.resolvers", "here"]),
        ('[dns]\nresolvers = "192.0.2.53"\n', ["dns.resolvers"]),
        ("log = 3\n", ["log"]),
        ("[log\n", ["not TOML", "line 1"]),
    ],
)
def test_mistake_names_file_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "orillo.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    for word in (str(file), *words):
        assert word in str(refused.value)


def test_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "orillo.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(file)
