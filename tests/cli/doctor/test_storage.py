"""Our own folder: what others can get at is found, and closed only when that is asked for."""

import os
from pathlib import Path

import pytest

from accounts.store import trouble_notes
from accounts.store.backups import Backup, BackupCondition
from accounts.store.trouble_notes import TroubleNote
from cli.doctor import storage
from cli.doctor.storage import Storage, close, gather, loose
from config import access
from config.access import DiskRefusal
from tests.builders import DAY, NOW
from tests.cli.conftest import Fill
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, only, private, short

HOME = Path("/h")
posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")


def backup(name: str, age: float, condition: BackupCondition = BackupCondition.USABLE) -> Backup:
    return Backup(name=name, made_at=NOW - age * DAY, size=1, condition=condition, accounts=1)


@posix
def test_what_others_can_get_at_is_found_and_closed(home: Path, fill: Fill) -> None:
    """Files that hold secrets, in folders with odd names too; nothing else in the folder is touched."""
    fill("ann")
    private(home / "config.toml", "").chmod(0o644)
    private(home / "client.key", "k").chmod(0o640)
    (home / "backups").mkdir(mode=0o755)
    private(home / "backups" / "über all.db", "").chmod(0o604)
    private(home / "my notes.txt", "").chmod(0o644)
    private(home / "secret elsewhere", "").chmod(0o644)
    (home / "client.keys").symlink_to(home / "secret elsewhere")
    home.chmod(0o750)
    found = list(loose(home))
    assert {each.path.name: f"{each.mode:o}" for each in found} == {
        home.name: "750", "config.toml": "644", "client.key": "640", "backups": "755", "über all.db": "604",
    }  # fmt: skip
    assert all("is now its owner's only" in close(each) for each in found)
    assert list(loose(home)) == []
    assert (home / "my notes.txt").stat().st_mode & 0o777 == 0o644


@posix
def test_a_link_is_left_alone(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    target = private(tmp_path / "elsewhere.toml", "")
    target.chmod(0o644)
    (home / "config.toml").symlink_to(target)
    assert list(loose(home)) == []


def test_modes() -> None:
    open_key = storage.Loose(path=HOME / "client.key", mode=0o644, folder=False)
    found = only(storage.modes(Storage(home=HOME, loose=(open_key,))))
    assert (found.state, "client.key (0644)" in found.what, "--fix" in found.remedy) == (PROBLEM, True, True)
    many = storage.modes(Storage(home=HOME, loose=(open_key,) * 5))
    assert "and 2 more" in only(many).what
    assert short(storage.modes(Storage(home=HOME))) == [("storage.modes", OK)]
    closed = Storage(home=HOME, repaired=("/h/pool.db was open to other users (mode 0644); it is now 0600.",))
    assert short(storage.modes(closed)) == [("storage.modes", WARNING), ("storage.modes", OK)]
    assert short(storage.modes(Storage(home=HOME, there=False))) == []


def test_the_pool_itself() -> None:
    assert only(storage.pool(Storage(home=HOME))).state is OK
    assert only(storage.pool(Storage(home=HOME, there=False))).state is NOTE
    broken = only(storage.pool(Storage(home=HOME, trouble="It was made by a newer one. Update codex-rotate.")))
    assert (broken.state, broken.remedy) == (PROBLEM, "Update codex-rotate.")


def test_backups() -> None:
    def judged(*found: Backup) -> list[object]:
        return [state for _, state in short(storage.backups(Storage(home=HOME, backups=found), NOW))]

    assert judged() == [NOTE]
    assert judged(backup("a", 1), backup("b", 90)) == [OK]
    assert judged(backup("a", 20)) == [NOTE]
    assert judged(backup("a", 1), backup("b", 1, BackupCondition.DAMAGED)) == [WARNING, OK]
    assert judged(backup("b", 1, BackupCondition.NEWER)) == [NOTE]
    nothing = Storage(home=HOME, there=False)
    assert short(storage.backups(nothing, NOW)) == []


def test_settings_that_cannot_be_used(home: Path) -> None:
    """Gathered from the file, with the way to mend it."""
    home.mkdir(mode=0o700)
    private(home / "config.toml", 'strategy = "best"\n')
    found = only(storage.settings(gather({"CODEX_ROTATE_HOME": str(home)}, "", ())))
    assert found.state is PROBLEM
    assert "config.toml" in found.what
    assert "orrect it" in found.remedy
    private(home / "config.toml", "")
    assert only(storage.settings(gather({"CODEX_ROTATE_HOME": str(home)}, "", ()))).state is OK


def test_what_is_not_ours_and_what_cannot_be_looked_at() -> None:
    """Neither is called all right; each names the first few and what to do."""
    strange = tuple(
        DiskRefusal(HOME / name, "belongs to root, and you are ann", "Run `sudo chown x`.") for name in "abcde"
    )
    found = only(storage.owners(Storage(home=HOME, strangers=strange)))
    assert (found.state, found.what) == (PROBLEM, "/h/a, /h/b, /h/c and 2 more belong to root, and you are ann.")
    assert only(storage.owners(Storage(home=HOME, strangers=strange[:1]))).what.startswith("/h/a belongs to root,")
    whole = DiskRefusal(HOME, "belongs to root, and you are ann", "Run `sudo chown x`.")
    assert short(storage.owners(Storage(home=HOME, strangers=(whole,), trouble="That is it. Run it."))) == []
    unseen = only(storage.modes(Storage(home=HOME, unseen=strange)))
    assert (unseen.state, unseen.remedy) == (WARNING, "Run `sudo chown x`.")
    assert unseen.what == "Who can get at /h/a, /h/b, /h/c and 2 more cannot be looked at."


def test_a_folder_to_which_nothing_can_be_written() -> None:
    """Unless the pool has said so already."""
    refused = DiskRefusal(HOME, "is on a disk that can only be read", "Have that disk mounted for writing.")
    found = only(storage.disk(Storage(home=HOME, refused=refused)))
    assert (found.name, found.state) == ("storage.disk", PROBLEM)
    assert found.what == "Nothing can be written to /h: it is on a disk that can only be read."
    assert short(storage.disk(Storage(home=HOME, refused=refused, trouble="It is. Do it."))) == []
    assert short(storage.disk(Storage(home=HOME))) == []


def test_a_disk_that_is_full(home: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed before the next token cannot be stored."""
    fill("ann")
    assert gather({"CODEX_ROTATE_HOME": str(home)}, "", ()).refused is None
    monkeypatch.setattr(access, "LITTLE", 1 << 62)
    found = only(storage.disk(gather({"CODEX_ROTATE_HOME": str(home)}, "", ())))
    assert "is on a disk that is full" in found.what


def test_a_proxy_that_serves_from_memory_is_a_problem() -> None:
    assert list(storage.served(Storage(home=HOME))) == []
    note = TroubleNote(7, "is not there any more")
    found = only(storage.served(Storage(home=HOME, from_memory=(note,))))
    assert (found.name, found.state) == ("storage.memory", PROBLEM)
    assert "process 7 serves from memory: pool.db is not there any more" in found.what
    assert "`codex-rotate backup restore NAME`" in found.remedy


def test_what_proxies_say_of_the_file_is_gathered(home: Path, fill: Fill) -> None:
    fill("ann")
    trouble_notes.leave(home / "proxies", TroubleNote(7, "is damaged"))
    assert gather({"CODEX_ROTATE_HOME": str(home)}, "", ()).from_memory == (TroubleNote(7, "is damaged"),)
