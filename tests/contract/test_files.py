# SPDX-License-Identifier: Apache-2.0
"""The table of files, on a directory that holds a stranger's file too."""

from pathlib import Path

from appliance.netcore.reconcile.files import FileTable
from appliance.netcore.reconcile.table import reconcile
from appliance.netcore.spec import File


def inode(path: Path) -> int:
    return path.stat().st_ino


async def test_a_file_is_written_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "net.d" / "10-orillo.conflist"
    table = FileTable([path])
    assert (await reconcile(table, {path: File(b"one")})).changed == (str(path),)
    first = inode(path)
    assert (await reconcile(table, {path: File(b"one")})).changed == ()
    assert inode(path) == first
    path.write_bytes(b"by somebody else")
    path.chmod(0o600)
    assert (await reconcile(table, {path: File(b"one")})).changed == (str(path),)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o644)


async def test_ours_goes_when_it_is_no_longer_wanted_and_others_stay(tmp_path: Path) -> None:
    ours, foreign = tmp_path / "10-orillo.conflist", tmp_path / "20-other.conflist"
    foreign.write_text("theirs")
    table = FileTable([ours])
    await reconcile(table, {ours: File(b"one")})
    await reconcile(table, {})
    await table.delete(ours)
    await table.delete(foreign)
    assert [path.name for path in tmp_path.iterdir()] == [foreign.name]


async def test_purge_removes_ours_once(tmp_path: Path) -> None:
    ours = tmp_path / "10-orillo.conflist"
    table = FileTable([ours])
    await table.put(ours, File(b"one"))
    assert await table.purge() == [f"file {ours}"]
    assert await table.purge() == []
