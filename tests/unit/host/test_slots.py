# SPDX-License-Identifier: Apache-2.0
"""Boot entries: whatever happens, the loader finds a slot that boots."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.host.entries import Entry, entry_text, primary, read_entry, with_machine_id
from appliance.host.errors import HostConfigError
from appliance.host.slots import BootEntries

_TEXT = """title Orillo (a)
sort-key orillo
version 1
linux /a/vmlinuz
initrd /a/initrd
options root=PARTLABEL=root-a rootfstype=squashfs ro rauc.slot=a quiet
"""


@pytest.fixture
def esp(tmp_path: Path) -> Path:
    entries = tmp_path / "efi/loader/entries"
    entries.mkdir(parents=True)
    (entries / "orillo-a.conf").write_text(_TEXT)
    for slot in "ab":
        (tmp_path / "efi" / slot).mkdir()
    (tmp_path / "efi/a/vmlinuz").write_text("old kernel")
    return tmp_path / "efi"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    boot = tmp_path / "root/boot"
    boot.mkdir(parents=True)
    (boot / "vmlinuz-7").write_text("new kernel")
    (boot / "initrd.img-7").write_text("new initrd")
    return tmp_path / "root"


def _names(esp: Path) -> list[str]:
    return sorted(path.name for path in (esp / "loader/entries").iterdir())


def test_starts_are_counted_for_a_loader_that_can_not(esp: Path, root: Path) -> None:
    """Three starts, each of which finds its entry as the one before left it; then the old system's turn."""
    entries = BootEntries(esp)
    entries.set_primary("b", root, "a")
    for left in (2, 1, 0):
        assert entries.primary() == "b"
        entries.count_start("b")
        assert _names(esp) == ["orillo-a.conf", f"orillo-b+{left}.conf"]
    assert entries.primary() == "a"
    # Judged good after all, it is counted no more; nor is one that nobody tries.
    entries.set_good("b")
    for slot in "ab":
        entries.count_start(slot)
    assert _names(esp) == ["orillo-a.conf", "orillo-b.conf"]


def test_starts_that_the_loader_counted_are_not_counted_twice(esp: Path) -> None:
    (esp / "loader/entries/orillo-b+2-1.conf").write_text(_TEXT)
    BootEntries(esp).count_start("b")
    assert _names(esp) == ["orillo-a.conf", "orillo-b+2-1.conf"]


def test_an_update_is_tried_three_times_and_the_old_system_stays(esp: Path, root: Path) -> None:
    entries = BootEntries(esp)
    entries.set_bad("b")
    entries.set_primary("b", root, "a")
    assert _names(esp) == ["orillo-a.conf", "orillo-b+3.conf"]
    assert entries.primary() == "b"
    assert (esp / "b/vmlinuz").read_text() == "new kernel"
    assert (esp / "a/vmlinuz").read_text() == "old kernel"
    text = (esp / "loader/entries/orillo-b+3.conf").read_text()
    assert "root=PARTLABEL=root-b " in text
    assert "linux /b/vmlinuz\n" in text
    assert "rauc.slot=b " in text
    assert "version 2\n" in text


def test_the_loader_goes_back_when_no_try_is_left(esp: Path, root: Path) -> None:
    entries = BootEntries(esp)
    entries.set_primary("b", root, "a")
    directory = esp / "loader/entries"
    (directory / "orillo-b+3.conf").rename(directory / "orillo-b+0-3.conf")
    assert entries.primary() == "a"
    assert not entries.is_good("b")


def test_what_proved_good_is_no_longer_counted(esp: Path, root: Path) -> None:
    entries = BootEntries(esp)
    entries.set_primary("b", root, "a")
    (esp / "loader/entries/orillo-b+3.conf").rename(esp / "loader/entries/orillo-b+2-1.conf")
    assert entries.is_on_trial("b")
    entries.set_good("b")
    assert _names(esp) == ["orillo-a.conf", "orillo-b.conf"]
    assert not entries.is_on_trial("b")
    # And the next update goes into the other slot.
    entries.set_primary("a", root, "b")
    assert _names(esp) == ["orillo-a+3.conf", "orillo-b.conf"]
    assert entries.primary() == "a"


def test_a_bundle_without_a_kernel_changes_no_entry(esp: Path, tmp_path: Path) -> None:
    (tmp_path / "empty/boot").mkdir(parents=True)
    with pytest.raises(Exception, match="vmlinuz"):
        BootEntries(esp).set_primary("b", tmp_path / "empty", "a")
    assert _names(esp) == ["orillo-a.conf"]


def test_the_machines_identity_is_the_same_in_every_slot(esp: Path, root: Path) -> None:
    entries = BootEntries(esp)
    entries.remember_machine("0" * 32)
    entries.set_primary("b", root, "a")
    entries.remember_machine("1" * 32)
    for name in _names(esp):
        text = (esp / "loader/entries" / name).read_text()
        assert text.count("systemd.machine_id=") == 1
        assert f"systemd.machine_id={'1' * 32}" in text


def test_an_unknown_slot_is_refused(esp: Path) -> None:
    with pytest.raises(HostConfigError, match="no slot 'c'"):
        BootEntries(esp).set_good("c")


entries_of = st.builds(
    Entry,
    slot=st.sampled_from("ab"),
    left=st.none() | st.integers(0, 3),
    done=st.integers(0, 3),
    version=st.integers(0, 99),
)


@given(entries_of)
def test_names_and_texts_come_back(entry: Entry) -> None:
    text = entry_text(_TEXT, "a", entry.slot, entry.version)
    again = read_entry(entry.name, with_machine_id(text, "a" * 32))
    assert again is not None
    assert (again.slot, again.left, again.version) == (entry.slot, entry.left, entry.version)


@given(st.lists(entries_of, min_size=1))
def test_a_bad_entry_is_taken_only_without_another(entries: list[Entry]) -> None:
    slot = primary(entries)
    good = [entry for entry in entries if not entry.is_bad]
    assert any(entry.slot == slot for entry in good or entries)


def test_a_new_system_starts_with_its_own_options_and_as_the_same_machine(esp: Path, root: Path) -> None:
    """Or no update could ever change the kernel's command line."""
    entries = BootEntries(esp)
    entries.remember_machine("0" * 32)
    (root / "usr/lib/orillo-image").mkdir(parents=True)
    own = "root=PARTLABEL=root-a rootfstype=squashfs ro rauc.slot=a transparent_hugepage=never"
    (root / "usr/lib/orillo-image/options").write_text(f"{own}\n")
    entries.set_primary("b", root, "a")
    said = (esp / "loader/entries/orillo-b+3.conf").read_text()
    wanted = own.replace("root-a", "root-b").replace("slot=a", "slot=b")
    assert f"options {wanted} systemd.machine_id={'0' * 32}\n" in said
    assert "quiet" not in said
    # And back again, made from an entry of slot b.
    entries.set_good("b")
    entries.set_primary("a", root, "b")
    assert (
        f"options {own} systemd.machine_id={'0' * 32}\n"
        in (esp / "loader/entries/orillo-a+3.conf").read_text()
    )
