"""The file may be taken away, replaced, cut short or damaged while it is open: that is noticed, nothing is written into
what is there instead, and what may wait is written when the file is back."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accounts.errors import StoreCorrupt, StoreLost
from accounts.model import Affinity, Cooldown, Event
from accounts.store import pool_file
from accounts.store.store import Store
from tests.builders import account, credentials, key_of

A = key_of("a")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "pool.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        for name in "abcdefgh":
            opened.put_account(account(name), credentials(name)).result()
        yield opened


def deleted(path: Path) -> None:
    path.unlink()


def deleted_with_its_log(path: Path) -> None:
    for each in path.parent.glob("pool.db*"):
        each.unlink()


def replaced(path: Path) -> None:
    other = path.with_name("other.db")
    with Store(other) as made:
        made.put_account(account("z"), credentials("z")).result()
    other.replace(path)


def made_anew(path: Path) -> None:
    path.unlink()
    Store(path).close()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def overwritten(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    os.utime(path, ns=(1, 1))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


TROUBLES = [deleted, deleted_with_its_log, replaced, made_anew, cut, emptied, overwritten, a_folder]


def on_disk(store: Store) -> None:
    """All of it is in the file itself, as after a while."""
    store.flush()
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.file.check(with_accounts=True)


@pytest.mark.parametrize("harm", TROUBLES)
def test_what_happens_to_the_file_is_noticed_and_nothing_is_read_or_written_any_more(
    store: Store, path: Path, harm: Callable[[Path], None]
) -> None:
    on_disk(store)
    assert not store.file.trouble
    harm(path)
    assert store.file.check(with_accounts=True)
    assert store.file.trouble
    assert store.file.check(with_accounts=True) is (harm is replaced)
    if harm is replaced:  # a whole pool with accounts, which is gone on with
        return
    before = sorted((each.name, each.stat().st_size) for each in path.parent.iterdir())
    with pytest.raises(StoreLost, match=r"pool\.db .*backup restore NAME"):
        store.accounts()
    assert not store.changed_by_others()
    assert isinstance(store.update_account(A, note="x").exception(), StoreLost)
    assert isinstance(store.save_credentials(A, credentials("n"), credentials("a").refresh).exception(), StoreLost)
    store.close()
    assert sorted((each.name, each.stat().st_size) for each in path.parent.iterdir()) == before


def test_a_sound_file_is_no_trouble_whoever_writes_to_it(store: Store, path: Path) -> None:
    with Store(path) as other:
        for number in range(20):
            other.put_account(account("z", note=str(number)), credentials("z")).result()
        on_disk(store)
        assert not store.file.check(with_accounts=True)
    assert not store.file.trouble


def test_what_was_learned_while_the_file_was_away_is_in_it_when_it_is_back(store: Store, path: Path) -> None:
    """And what was in its log goes with it when it is moved."""
    rest = Cooldown(until=9e9, reason="usage_limit_reached", since=5)
    path.rename(path.with_name("moved"))
    assert store.file.check(with_accounts=True)
    waiting = [
        store.set_cooldown(A, rest),
        store.save_affinity(Affinity(thread="t", key=A, used_at=1)),
        store.record(Event(at=1, kind="one")),
        store.record(Event(at=2, kind="two")),
    ]
    assert not any(each.done() for each in waiting)
    for beside in path.parent.glob("pool.db-*"):
        beside.unlink()
    assert not store.file.check(with_accounts=True)
    path.with_name("moved").rename(path)
    assert store.file.check(with_accounts=True)
    for each in waiting:
        each.result(timeout=10)
    assert not store.file.trouble
    assert len(store.accounts()) == 8
    assert store.cooldowns() == {A: rest}
    assert [each.kind for each in store.events(9)] == ["two", "one"]
    store.update_account(A, note="x").result()


def test_what_waits_is_bounded_and_the_oldest_is_dropped(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "MOST_WAITING", 3)
    path.rename(path.with_name("moved"))
    store.file.check(with_accounts=True)
    waiting = [store.count(f"n{number}") for number in range(5)]
    assert [each.done() for each in waiting] == [True, True, False, False, False]
    assert isinstance(waiting[0].exception(), StoreLost)
    store.close()
    assert all(isinstance(each.exception(), StoreLost) for each in waiting)


def test_another_file_is_gone_on_with_unless_it_is_empty(store: Store, path: Path) -> None:
    made_anew(path)
    store.file.check(with_accounts=True)
    assert not store.file.check(with_accounts=True)
    assert "without any account" in store.file.trouble
    replaced(path)
    assert store.file.check(with_accounts=True)
    assert [each.label for each in store.accounts()] == ["z"]
    with Store(path) as other:
        other.put_account(account("y"), credentials("y")).result()
    assert store.changed_by_others()


def test_what_is_damaged_in_its_place_is_left_alone_and_gone_on_with_once_it_is_whole(store: Store, path: Path) -> None:
    on_disk(store)
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    overwritten(path)
    assert store.file.check(with_accounts=True)
    assert "damaged" in store.file.trouble
    before = path.read_bytes()
    assert not store.file.check(with_accounts=True)
    assert path.read_bytes() == before
    copy.replace(path)
    assert store.file.check(with_accounts=True)
    assert len(store.accounts()) == 8


def test_what_cannot_be_read_is_looked_at_closely(store: Store, path: Path) -> None:
    """Whoever damages a file may give it its old time back."""
    on_disk(store)
    found = path.stat()
    overwritten(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert not store.file.check(with_accounts=True)
    with pytest.raises(StoreCorrupt):
        read_all(store)
    assert store.file.check(with_accounts=True)
    assert "damaged" in store.file.trouble


def read_all(store: Store) -> None:
    store.all_credentials()
    store.events(9)
    store.windows()
    store.affinities(9)


def test_a_history_that_once_missed_the_disk_goes_on(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.file._executor.submit(lambda: store.file._open._writer.execute("PRAGMA busy_timeout = 0")).result()
        assert store.record(Event(at=1, kind="one")).exception() is not None
        other.rollback()
    store.record(Event(at=2, kind="two")).result()
    assert [each.kind for each in store.events(9)] == ["two", "one"]


def test_an_empty_file_is_no_new_pool_where_there_are_backups(path: Path) -> None:
    """A pool that was cut to nothing must not be taken for one that was never filled."""
    Store(path).close()
    path.with_name("backups").mkdir()
    (path.with_name("backups") / "mine.db").touch()
    emptied(path)
    with pytest.raises(StoreCorrupt, match=r"backup list.*backup restore"):
        Store(path)
    assert path.stat().st_size == 0
