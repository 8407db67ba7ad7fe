# SPDX-License-Identifier: Apache-2.0
"""An operator that was lost and restored: what it knows, and what it must not do."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.netcore.plan.identity import Identity
from appliance.sync.store import Held, PlanStore
from cloud.app import App
from cloud.backup import BackupError, unpack
from cloud.ca.sealing import SealError, seal, unseal
from cloud.cli.main import main
from cloud.enrolment import create_token, enroll
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.replicas.books import Head, Page
from tests.unit.ca.requests import new_key, request_for
from tests.unit.cloudcli.running import Run
from tests.unit.cloudcli.test_serve import serving
from tests.unit.endpoint.operators import COMMUNITY, NODES


@contextmanager
def opened(root: Path) -> Iterator[App]:
    """The operator's application, as its server has it."""
    app = App.open(CloudPaths(root))
    try:
        yield app
    finally:
        app.store.close()


def file_of(folder: Path, text: str) -> str:
    path = folder / "manifests.yaml"
    path.write_text(text)
    return str(path)


def enrol(root: Path, *names: str) -> None:
    with opened(root) as app:
        for name in names:
            token = create_token(app, name, timedelta(hours=1))
            enroll(app, token.id, token.secret, request_for(new_key()))


def tell(root: Path, device: PlanStore, held: Held | None) -> Held:
    """The device takes what the operator has for it; it refuses what is older than its own."""
    with opened(root) as app:
        app.refresh()
        plan = app.store.plans.get("shop1")
        assert plan
        assert plan.document
        return device.put(plan.document, held)


def test_a_restored_operator_goes_on_beyond_its_devices(operator: Run, root: Path, tmp_path: Path) -> None:
    """Three plans were handed out that the backup knows nothing of."""
    manifests = file_of(tmp_path, NODES)
    assert operator("apply", "-f", manifests).code == 0
    enrol(root, "connector-1", "shop1", "shop2")
    with opened(root) as app:
        trusted, identity = app.plan_key.trusted, app.identities()["shop1"]
    device = PlanStore(tmp_path / "plans", trusted, identity)
    held = tell(root, device, None)
    backup = tmp_path / "backup"
    open_token = operator("token", "create", "--name", "shop2").out.splitlines()[-1]
    told = operator("backup", str(backup))
    assert (told.code, "private key in clear" in told.err) == (0, True)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert open_token not in backup.read_bytes().decode(errors="replace")
    community = file_of(tmp_path, COMMUNITY)
    for words in (("apply", "-f", community), ("delete", "community", "shops"), ("apply", "-f", community)):
        assert operator(*words).code == 0
        held = tell(root, device, held)

    lost = held.plan.generation
    again = tmp_path / "again"
    assert main(["--root", str(again), "restore", str(backup)]) == 0
    assert tell(again, device, held).plan.generation > lost
    with opened(again) as app:
        assert app.identities()["shop1"] == identity
        assert [token.expires <= app.now() for token in app.store.tokens.all()] == [True] * 4
    for file in ("ca.key", "plan.key"):
        assert stat.S_IMODE((CloudPaths(again).keys / file).stat().st_mode) == 0o600


def test_a_running_operator_is_backed_up(operator: Run, root: Path, tmp_path: Path) -> None:
    with serving(root):
        assert operator("apply", "-f", file_of(tmp_path, NODES)).code == 0
        said = operator("backup", str(tmp_path / "backup"), "-o", "json")
    assert json.loads(said.out)["encrypted"] is False
    assert main(["--root", str(tmp_path / "again"), "restore", str(tmp_path / "backup")]) == 0
    with opened(tmp_path / "again") as app:
        assert set(app.inventory().nodes) == {"connector-1", "shop1", "shop2"}


def test_an_encrypted_backup_opens_by_its_passphrase_alone(operator: Run, tmp_path: Path) -> None:
    backup, passphrase, wrong = (tmp_path / name for name in ("backup", "passphrase", "wrong"))
    passphrase.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    said = operator("backup", str(backup), "--passphrase-file", str(passphrase))
    assert (said.code, said.err) == (0, "")
    with pytest.raises(BackupError):
        unpack(backup.read_bytes())
    for words, code, part in (
        ((), 2, "is encrypted: give --passphrase-file"),
        (("--passphrase-file", str(wrong)), 3, "passphrase is another one"),
    ):
        outcome = operator("restore", str(backup), *words)
        assert (outcome.code, part in outcome.err) == (code, True)
    opening = ("restore", str(backup), "--passphrase-file", str(passphrase))
    assert main(["--root", str(tmp_path / "again"), *opening]) == 0


def test_nothing_is_overwritten(operator: Run, tmp_path: Path) -> None:
    assert operator("backup", str(tmp_path / "backup")).code == 0
    outcome = operator("restore", str(tmp_path / "backup"))
    assert (outcome.code, "there is an operator here already" in outcome.err) == (3, True)


@pytest.mark.parametrize("content", [b"", b"nonsense", seal(b"nonsense", "x")[:40]])
def test_what_is_no_backup_is_told(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "backup").write_bytes(content)
    (tmp_path / "passphrase").write_text("x")
    words = ("restore", str(tmp_path / "backup"), "--passphrase-file", str(tmp_path / "passphrase"))
    assert main(["--root", str(tmp_path / "again"), *words]) == 3
    assert not (tmp_path / "again").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_seal_holds() -> None:
    sealed = seal(b"secret", "one")
    assert (b"secret" in sealed, unseal(sealed, "one")) == (False, b"secret")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for content, passphrase in ((sealed, "two"), (changed, "one")):
        with pytest.raises(SealError):
            unseal(content, passphrase)


def test_a_token_that_replaces_revokes_at_once(operator: Run, root: Path, tmp_path: Path) -> None:
    assert operator("apply", "-f", file_of(tmp_path, NODES)).code == 0
    said = operator("token", "create", "--replace", "shop1")
    assert (said.code, "not enrolled" in said.err) == (1, True)
    enrol(root, "shop1")
    before = identity(root)
    said = operator("token", "create", "--replace", "shop1")
    assert (said.code, "shop1 is revoked" in said.out) == (0, True)
    with opened(root) as app:
        assert app.identities() == {}
        assert app.trust.revoked == (before.uri,)
    enrol(root, "shop1")
    assert identity(root) != before


def identity(root: Path) -> Identity:
    with opened(root) as app:
        return app.identities()["shop1"]


def test_a_replicas_backup_brings_no_old_numbers(operator: Run, root: Path, tmp_path: Path) -> None:
    """A replica that is restored as a disk believes no page of before: the numbers in it did not leap."""
    with opened(root) as app, app.store.transaction():
        app.store.pages.put([Page("plans-0", "7", 3, plans={"shop1": Head(5, "ab", "kubernetes")})])
    file = tmp_path / "backup"
    assert operator("backup", str(file)).code == 0
    assert main(("--root", str(tmp_path / "new"), "restore", str(file))) == 0
    with opened(tmp_path / "new") as app:
        assert app.store.pages.all() == []
        plan = app.store.plans.head("shop1")
        assert plan
        assert plan.generation == 1_000_005


def test_the_root_of_a_pods_volume_stays_as_it_is() -> None:
    """It is root's, and anybody in the pod's group may write there."""
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o777)
        os.seteuid(65534)
        make_private_directory(folder)
        make_private_directory(folder / "keys")
        os.seteuid(0)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777
        assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
