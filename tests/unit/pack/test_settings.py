# SPDX-License-Identifier: Apache-2.0
"""The settings file of the package: every setting is in it, with its default and its meaning."""

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from appliance.settings import Settings, load_settings

FILE = Path(__file__).parents[3] / "packaging/debian/orillo.toml"


def uncommented() -> dict[str, Any]:
    lines = FILE.read_text().splitlines()
    return tomllib.loads(
        "\n".join(
            line[1:] if line[:1] == "#" and (line[1:2].isalpha() or line[1:2] == "[") else line
            for line in lines
        )
    )


def test_as_it_comes_it_is_all_defaults() -> None:
    assert load_settings(FILE) == Settings()


def test_every_setting_is_in_it_and_no_other() -> None:
    known = {
        field.name: {inner.name for inner in msgspec.structs.fields(field.type)}
        for field in msgspec.structs.fields(Settings)
    }
    assert {section: set(content) for section, content in uncommented().items()} == known


def test_what_it_shows_is_the_default(tmp_path: Path) -> None:
    text = FILE.read_text().replace('#address = "127.0.0.1"', "")
    file = tmp_path / "orillo.toml"
    file.write_text(
        "\n".join(
            line.removeprefix("#") if "=" in line or line[:2] == "#[" else line for line in text.splitlines()
        )
    )
    assert load_settings(file) == Settings()


def test_every_setting_has_its_meaning_before_it() -> None:
    lines = FILE.read_text().splitlines()
    for before, line in pairwise(lines):
        if line.startswith("#") and line[1:2].isalpha() and "port" not in line:
            assert before.startswith("# "), line
