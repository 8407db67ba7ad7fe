# SPDX-License-Identifier: Apache-2.0
"""The verbs without a server: what they print, and what they end with."""

import io
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from appliance.netcore.plan.token import parse_token
from cloud.cli.main import VERBS
from cloud.settings import read_settings
from cloud.store.lock import WriterLock
from tests.unit.cloudcli.running import Run
from tests.unit.endpoint.operators import COMMUNITY, NODES


@pytest.fixture(name="site")
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(f"{NODES}---{COMMUNITY}")
    return path


def test_init_makes_an_operator_that_only_its_owner_reads(operator: Run, root: Path) -> None:
    assert operator("device", "list").code == 0
    keys = root / "var/lib/orillo-cloud/keys"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {
        "ca.crt": 0o644,
        "ca.key": 0o600,
        "plan.key": 0o600,
    }
    assert stat.S_IMODE((root / "var/lib/orillo-cloud").stat().st_mode) == 0o700
    settings = read_settings(root / "etc/orillo/cloud.toml")
    assert settings.addresses == ("127.0.0.1", "cloud.example")
    assert settings.pools.pods[0].with_prefixlen == "10.200.0.0/16"


def test_init_refuses_to_overwrite(operator: Run, root: Path) -> None:
    before = (root / "var/lib/orillo-cloud/keys/ca.key").read_bytes()
    again = operator("init", "--cluster", "other", "--address", "192.0.2.1")
    assert again.code == 3
    assert "there is an operator here already" in again.err
    (root / "etc/orillo/cloud.toml").unlink()
    assert operator("init", "--cluster", "other", "--address", "192.0.2.1").code == 3
    assert (root / "var/lib/orillo-cloud/keys/ca.key").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster", "Lab!", "--address", "192.0.2.1"), "'Lab!'"),
        (("--cluster", "lab", "--address", "192.0.2.300"), "'192.0.2.300': use an IP address or a DNS name"),
        (("--cluster", "lab", "--address", "192.0.2.1:443"), "with no port"),
        (("--cluster", "lab", "--address", ","), "no address"),
        (("--cluster", "lab", "--address", "192.0.2.1", "--control-port", "8443"), "both listeners"),
        (("--cluster", "lab", "--address", "192.0.2.1", "--control-port", "70000"), "port 70000"),
        (("--cluster", "lab", "--address", "192.0.2.1", "--pod-pool", "10.96.0.0/12"), "overlaps"),
        (("--cluster", "lab", "--address", "192.0.2.1", "--pod-pool", "10.0.0.1/8"), "host bits"),
        (("--cluster", "lab", "--address", "192.0.2.1", "--domain", "a..b"), "domain"),
        (("--cluster", "lab"), "--address"),
    ],
)
def test_init_refuses_bad_settings(run: Run, root: Path, words: tuple[str, ...], message: str) -> None:
    outcome = run("init", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert list(root.iterdir()) == []


def test_apply_get_delete(operator: Run, site: Path) -> None:
    applied = operator("apply", "-f", str(site))
    assert applied.code == 0, applied.err
    assert "Community shops created" in applied.out
    assert "Node shop1 unchanged" in operator("apply", "-f", str(site)).out
    assert operator("get", "nodes").out.splitlines()[1].split() == ["Node", "-", "connector-1", "v1"]
    assert operator("get", "community", "shops").code == 0
    assert operator("delete", "community", "shops").out.startswith("Community shops deleted")
    assert operator("get", "community", "shops").code == 1
    assert operator("delete", "community", "shops").code == 1


def test_get_json_can_be_applied(operator: Run, site: Path, tmp_path: Path) -> None:
    operator("apply", "-f", str(site))
    listing = operator("get", "no", "-o", "json").out
    (tmp_path / "again.json").write_text(listing)
    again = json.loads(operator("apply", "-f", str(tmp_path / "again.json"), "-o", "json").out)
    assert {entry["outcome"] for entry in again["objects"]} == {"unchanged"}
    assert again["devices"] == []
    assert json.loads(operator("get", "no", "shop1", "-o", "json").out)["metadata"]["name"] == "shop1"


def test_apply_reads_folders_and_stdin(
    operator: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "nodes.yml").write_text(NODES)
    (folder / "README.md").write_text("no manifest")
    monkeypatch.setattr(sys, "stdin", io.StringIO(COMMUNITY))
    outcome = operator("apply", "-f", str(folder), "-f", "-")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("created") == 4


OVERLAP = """
apiVersion: v1
kind: Node
metadata: {name: rogue, labels: {node-role.kubernetes.io/edge: ""}}
spec: {podCIDRs: [10.96.0.0/24]}
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("kind: Node", ["bad.yaml", "document 1", "apiVersion"]),
        (
            NODES.replace("labels: {node-role.kubernetes.io/edge", "lables: {x"),
            ["bad.yaml", "lables", "labels"],
        ),
        (COMMUNITY + "---" + COMMUNITY, ["bad.yaml", "document 2", "metadata.name", "given twice"]),
        (COMMUNITY + "---" + OVERLAP, ["bad.yaml", "document 2", "rogue", "10.96.0.0/24", "choose another"]),
        ("a: [", ["bad.yaml", "document 1"]),
        ("", ["nothing to apply"]),
    ],
)
def test_apply_refuses_whole(operator: Run, tmp_path: Path, text: str, parts: list[str]) -> None:
    (tmp_path / "good.yaml").write_text(NODES.replace("shop", "store"))
    (tmp_path / "bad.yaml").write_text(text)
    files = [tmp_path / "bad.yaml"] + ([tmp_path / "good.yaml"] if text else [])
    outcome = operator("apply", *(word for path in files for word in ("-f", str(path))))
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert [part for part in parts if part not in outcome.err] == []
    assert json.loads(operator("get", "nodes", "-o", "json").out)["items"] == []


def test_pool_used_up_refuses_whole(run: Run, site: Path) -> None:
    run("init", "--cluster", "lab", "--address", "192.0.2.1", "--pod-pool", "10.200.0.0/24")
    outcome = run("apply", "-f", str(site))
    assert outcome.code == 1
    assert "pod pool 10.200.0.0/24 is used up" in outcome.err
    assert json.loads(run("get", "nodes", "-o", "json").out)["items"] == []


def test_token(operator: Run, root: Path) -> None:
    created = operator("token", "create", "--name", "shop1", "--ttl", "30m")
    token = parse_token(created.out.splitlines()[-1])
    settings = read_settings(root / "etc/orillo/cloud.toml")
    assert token.enroll_url == f"https://127.0.0.1:{settings.enroll_port}"
    assert token.control_url == f"https://127.0.0.1:{settings.control_port}"
    assert "no Node shop1 yet" in created.err
    as_json = json.loads(operator("token", "create", "--name", "shop2", "-o", "json").out)
    assert as_json.keys() >= {"token", "id", "name", "expires"}
    listing = operator("token", "list")
    assert [line.split()[1:3] for line in listing.out.splitlines()[1:]] == [
        ["shop2", "open"],
        ["shop1", "open"],
    ]
    assert token.secret not in listing.out
    many = json.loads(operator("token", "create", "--pattern", "node-*", "--uses", "3", "-o", "json").out)
    assert (many["name"], many["uses"]) == ("node-*", 3)
    assert "0/3" in operator("token", "list").out
    assert operator("token", "revoke", many["id"]).code == 0
    assert many["id"] not in operator("token", "list").out
    assert operator("token", "revoke", many["id"]).code != 0
    assert "--pattern" in operator("token", "create", "--name", "shop1", "--uses", "3").err


@pytest.mark.parametrize("ttl", ["0h", "1", "an hour", "-1h", "9999d"])
def test_token_needs_a_sensible_life(operator: Run, ttl: str) -> None:
    assert operator("token", "create", "--name", "shop1", f"--ttl={ttl}").code == 2


def test_device_list_tells_who_is_missing(operator: Run, site: Path) -> None:
    operator("apply", "-f", str(site))
    rows = [line.split() for line in operator("device", "list").out.splitlines()[1:]]
    assert [row[:4] for row in rows] == [
        ["connector-1", "connector", "connector-1", "not-enrolled"],
        ["shop1", "edge", "shop1", "not-enrolled"],
        ["shop2", "edge", "shop2", "not-enrolled"],
    ]
    assert operator("device", "revoke", "shop1").code == 1


def test_plan_of_nobody(operator: Run, site: Path) -> None:
    assert "no Node of that name" in operator("plan", "show", "shop1").err
    operator("apply", "-f", str(site))
    outcome = operator("plan", "show", "shop1")
    assert outcome.code == 1
    assert "token create --name shop1" in outcome.err


def test_plan_to_carry_to_a_device(operator: Run, site: Path, tmp_path: Path) -> None:
    operator("apply", "-f", str(site))
    file = tmp_path / "shop1.json"
    told = operator("plan", "site", "shop1", str(file))
    key = operator("plan", "key").out.strip()
    assert f'plan = "shop1.json"\nplan_key = "{key}"' in told.out
    assert f"orillo plan import shop1.json --key {key}" in told.out
    assert json.loads(file.read_text())["identity"]["name"] == "shop1"
    assert json.loads(operator("plan", "site", "shop1", "-").out)["identity"]["name"] == "shop1"
    as_json = json.loads(operator("plan", "site", "shop1", str(file), "-o", "json").out)
    assert (as_json["plan_key"], as_json["prefixes"][0]) == (key, "10.200.1.0/24")
    assert json.loads(operator("plan", "key", "-o", "json").out) == {"plan_key": key}
    assert "no Node nobody" in operator("plan", "site", "nobody", str(file)).err


def test_explain_ends_with_its_answer(operator: Run, site: Path, tmp_path: Path) -> None:
    operator("apply", "-f", str(site))
    assert operator("explain", "shop1", "shop2").code == 0
    (tmp_path / "depot.yaml").write_text(NODES.replace("shop2", "depot"))
    operator("apply", "-f", str(tmp_path / "depot.yaml"))
    refused = operator("explain", "depot", "shop1")
    assert refused.code == 1
    assert "community" in refused.out
    as_json = operator("explain", "depot", "shop1", "-o", "json")
    assert (as_json.code, json.loads(as_json.out)["allowed"]) == (1, False)


def test_version(run: Run) -> None:
    assert run("version").out.startswith("orillo-cloud 0.")
    assert json.loads(run("version", "-o", "json").out)["plan_schema"] == "orillo.io/plan/v1"


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in ("init", "restore", "version", "bugreport", "migrate")]
)
def test_no_operator_here(run: Run, verb: str, tmp_path: Path) -> None:
    words = {
        "apply": ("-f", str(tmp_path)),
        "get": ("nodes",),
        "delete": ("node", "a"),
        "token": ("list",),
        "device": ("list",),
        "plan": ("show", "a"),
        "explain": ("a", "b"),
        "backup": ("file",),
        "cluster": ("list",),
    }
    (tmp_path / "nodes.yaml").write_text(NODES)
    outcome = run(verb, *words.get(verb, ()))
    assert outcome.code == 3
    assert "orillo-cloud init" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [(), ("fly",), ("get",), ("apply",), ("token",), ("explain", "a"), ("get", "pods"), ("serve", "x")],
)
def test_usage(operator: Run, words: tuple[str, ...]) -> None:
    assert operator(*words).code == 2


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in VERBS)])
def test_help(run: Run, verb: tuple[str, ...]) -> None:
    outcome = run(*verb, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("usage: orillo-cloud")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cluster = ", "cloud.toml"),
        ('cluster = "lab"', "addresses"),
        ('cluster = "lab"\naddresses = ["192.0.2.1"]\ncolour = 1', "colour"),
        ('cluster = "lab"\naddresses = ["192.0.2.1"]\ncontrol_port = "x"', "control_port"),
    ],
)
def test_bad_settings_file(operator: Run, root: Path, text: str, part: str) -> None:
    (root / "etc/orillo/cloud.toml").write_text(text)
    outcome = operator("device", "list")
    assert outcome.code == 3
    assert part in outcome.err
    assert "cloud.toml" in outcome.err


def test_unreadable_files_are_told(operator: Run, tmp_path: Path) -> None:
    assert operator("apply", "-f", str(tmp_path / "missing.yaml")).code == 2
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xff")
    outcome = operator("apply", "-f", str(tmp_path / "latin.yaml"))
    assert outcome.code == 1
    assert "UTF-8" in outcome.err


def test_lost_key_is_told(operator: Run, root: Path) -> None:
    (root / "var/lib/orillo-cloud/keys/plan.key").unlink()
    outcome = operator("device", "list")
    assert outcome.code == 3
    assert "plan.key" in outcome.err


def test_lock_that_nobody_answers_for(operator: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.cli.client._PATIENCE", 0.0)
    with WriterLock.take(root / "var/lib/orillo-cloud/lock") or pytest.fail("the lock is taken"):
        outcome = operator("device", "list")
    assert outcome.code == 3
    assert "does not answer" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_told(run: Run, root: Path) -> None:
    root.chmod(0o500)
    outcome = run("init", "--cluster", "lab", "--address", "192.0.2.1")
    assert outcome.code == 3
    assert "run as root" in outcome.err
