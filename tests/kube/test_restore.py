# SPDX-License-Identifier: Apache-2.0
"""An operator that was alone with its store, in a cluster with replicas: nobody enrols again."""

import asyncio
import json
from pathlib import Path

from msgspec.structs import replace

from cloud.cli.main import main
from cloud.enrolment import enroll
from cloud.files import make_private_directory
from cloud.intent import Apply, File, apply
from cloud.paths import CloudPaths
from cloud.replicas.keys import FILES
from cloud.settings import write_settings
from tests.kube.cluster import until
from tests.kube.replicas import LONG, fleet_on, operator_process
from tests.kube.server import ADMIN_TOKEN, OPERATOR_TOKEN, KubeServer
from tests.kube.things import DEVICES, NODES, device, node
from tests.unit.ca.requests import new_key, request_for
from tests.unit.endpoint.operators import NODES as MANIFESTS
from tests.unit.endpoint.operators import new_app, new_token, settings

SETTINGS = replace(settings(), control_port=7443, enroll_port=7444)


def operator_with_a_device(root: Path) -> str:
    """An operator of before, and the instance of its device shop1."""
    paths = CloudPaths(root)
    make_private_directory(paths.state)
    write_settings(paths.settings, SETTINGS)
    app = new_app(paths)
    try:
        apply(app, Apply((File("nodes.yaml", MANIFESTS),), "test"))
        token = new_token(app)
        enroll(app, token.id, token.secret, request_for(new_key()))
        return app.identities()["shop1"].instance
    finally:
        app.store.close()


async def run(*words: str) -> int:
    """A verb, in this process, beside what else goes on."""
    return await asyncio.to_thread(main, words)


@LONG
async def test_a_backup_becomes_the_clusters(cluster: KubeServer, tmp_path: Path) -> None:
    old, file = tmp_path / "old", str(tmp_path / "backup.tgz")
    instance = operator_with_a_device(old)
    assert await run("--root", str(old), "backup", file) == 0
    where = ("--kubernetes", "--kubeconfig", str(cluster.kubeconfig(ADMIN_TOKEN)))
    assert await run("restore", file, *where) == 0
    assert await run("restore", file, *where) == 0  # the same once more changes nothing
    cluster.ask("POST", NODES, node("shop1"))
    async with fleet_on(cluster, tmp_path) as fleet:
        await until(lambda: fleet.heads().get("shop1", 0) > 1_000_001, "its next plan is far above")
        for replica in fleet.replicas:
            for name in FILES:
                copy = CloudPaths(replica.root).keys / name
                assert copy.read_bytes() == (CloudPaths(old).keys / name).read_bytes()
            listed = json.loads(await replica.command("device", "list", "-o", "json"))["devices"]
            shop1 = next(each for each in listed if each["name"] == "shop1")
            assert (shop1["state"], shop1["instance"]) == ("enrolled", instance)
    operator_with_a_device(tmp_path / "other")
    assert await run("--root", str(tmp_path / "other"), "backup", f"{file}.other") == 0
    assert await run("restore", f"{file}.other", *where) == 3, "the Secret holds another operator's keys"


@LONG
async def test_an_old_volume_is_taken_over(cluster: KubeServer, tmp_path: Path) -> None:
    """As with `operator.oldVolume`: the first start fills the Secret and the Ledgers from it."""
    instance = operator_with_a_device(tmp_path / "a")
    cluster.ask("POST", NODES, node("shop1"))
    async with fleet_on(cluster, tmp_path, "a") as fleet:
        await until(lambda: fleet.heads().get("shop1", 0) > 1, "its next plan is made")
        records = {name: record for page in fleet.pages().values() for name, record in page.devices.items()}
        assert records["shop1"].valid == instance
        old = CloudPaths(tmp_path / "a").keys / "ca.crt"
        fleet.replicas[1].start()
        await until(lambda: fleet.replicas[1].said("event=serving "), "another one serves", 20)
        assert (CloudPaths(tmp_path / "b").keys / "ca.crt").read_bytes() == old.read_bytes()


async def test_keys_are_never_made_anew_for_devices_that_believe_others(
    cluster: KubeServer, tmp_path: Path
) -> None:
    file = str(tmp_path / "backup.tgz")
    operator_with_a_device(tmp_path / "old")
    assert await run("--root", str(tmp_path / "old"), "backup", file) == 0
    where = ("--kubernetes", "--kubeconfig", str(cluster.kubeconfig(ADMIN_TOKEN)))
    assert await run("restore", file, *where) == 0
    secret = ("secret", "orillo-cloud", "--namespace", "orillo-system")
    cluster.kubectl("patch", *secret, "--patch", '{"data": null}')
    write_settings(CloudPaths(tmp_path / "new").settings, SETTINGS)
    config = cluster.kubeconfig(OPERATOR_TOKEN)
    cluster.ask("POST", DEVICES, device("shop2"))
    cluster.ask("PATCH", f"{DEVICES}/shop2/status", {"status": {"state": "enrolled"}})
    process = operator_process(tmp_path / "new", config, tmp_path / "log")
    await until(lambda: not process.alive, "it ends", 20)
    assert process.code == 3
    assert "but 2 devices (shop1, ...) are enrolled: put the keys back by" in process.output()
    cluster.kubectl("delete", *secret)
    process = operator_process(tmp_path / "new", config, tmp_path / "log2")
    await until(lambda: not process.alive, "it ends", 20)
    assert "apply packaging/kubernetes/state.yaml" in process.output()
