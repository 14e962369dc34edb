"""A restore brings accounts back, costs nobody newer tokens, and is noticed by whoever has the pool open."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.errors import BackupDamaged, StoreCorrupt, StoreError, StoreTooNew, UnknownBackup, WouldLoseAccounts
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing
from accounts.store import schema
from accounts.store.backups import Backups
from accounts.store.restoring import restore, would_lose
from accounts.store.store import Store
from accounts.tokens.endings import Ending
from accounts.tokens.sent_marks import SentMarks
from tests.builders import DAY, credentials, old_pool

ROOT = Path(__file__).resolve().parents[3]
NOON = 1_795_176_900.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        yield opened


@pytest.fixture
def copies(store: Store) -> Backups:
    return Backups(store.path, store.path.with_name("backups"))


def seat(name: str) -> Account:
    return Account(account_id=f"acct-{name}", user_id="u", label=name)


def tokens(name: str, turn: int) -> Credentials:
    return Credentials(access=f"access-{name}-{turn}", refresh=f"refresh-{name}-{turn}", refreshed_at=float(turn))


def put(store: Store, name: str, turn: int = 1) -> Account:
    store.put_account(seat(name), tokens(name, turn)).result()
    return seat(name)


def content(path: Path) -> list[str]:
    """Everything in the file, as SQL."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


# --- what comes back -------------------------------------------------------------------------------------------------


def test_the_pool_is_as_it_was(copies: Backups, store: Store) -> None:
    """Accounts, what their owner chose, rests, threads and history are the backup's; the restore is in the history."""
    ann = put(store, "ann")
    store.set_cooldown(ann.key, Cooldown(until=50, reason="usage_limit_reached", since=40))
    store.save_affinity(Affinity(thread="t", key=ann.key, used_at=1))
    store.record(Event(at=1, kind="imported", key=ann.key)).result()
    copies.create("mine", NOON)
    store.update_account(ann.key, label="renamed", note="n")
    store.clear_cooldown(ann.key)
    store.record(Event(at=2, kind="later")).result()
    done = restore(copies, "mine", NOON)
    assert (done.accounts, done.kept, done.returned, done.removed) == (1, (), (), ())
    assert store.accounts() == (ann,)
    assert store.cooldowns() == {ann.key: Cooldown(until=50, reason="usage_limit_reached", since=40)}
    assert store.affinities(9) == (Affinity(thread="t", key=ann.key, used_at=1),)
    assert [(e.kind, e.detail) for e in store.events(9)] == [("restored", "the backup mine"), ("imported", "")]


def test_a_lost_account_comes_back_with_its_tokens(copies: Backups, store: Store) -> None:
    """Also into a pool that is not there any more."""
    ann = put(store, "ann")
    copies.create("mine", NOON)
    store.remove_account(ann.key).result()
    assert restore(copies, "mine", NOON).returned == ("ann",)
    assert store.accounts() == (ann,)
    assert store.credentials(ann.key) == tokens("ann", 1)
    store.close()
    store.path.unlink()
    assert restore(copies, "mine", NOON).returned == ("ann",)
    with Store(store.path) as again:
        assert again.all_credentials() == {ann.key: tokens("ann", 1)}


@pytest.mark.parametrize(
    ("turn", "left", "kept"), [(1, 5, ()), (4, 5, ()), (5, 5, ()), (6, 6, ("ann",)), (9, 9, ("ann",))]
)
def test_the_tokens_refreshed_last_stay(
    copies: Backups, store: Store, turn: int, left: int, kept: tuple[str, ...]
) -> None:
    """A refresh token works only once, so the backup's are dead when the pool has refreshed since."""
    ann = put(store, "ann", turn=5)
    copies.create("mine", NOON)
    put(store, "ann", turn=turn)
    assert restore(copies, "mine", NOON).kept == kept
    assert store.credentials(ann.key) == tokens("ann", left)


def test_a_token_that_was_spent_since_comes_back_into_a_new_pool_and_is_not_sent(copies: Backups, store: Store) -> None:
    """The pool that knew of it is gone; the marks beside it are not."""
    ann, ben = put(store, "ann"), put(store, "ben")
    copies.create("mine", NOON)
    marks = SentMarks(store.path.with_name("locks"))
    marks.spend(ann.key, tokens("ann", 1).refresh)
    store.close()
    store.path.unlink()
    assert restore(copies, "mine", NOON).spent == ("ann",)
    with Store(store.path) as again:
        assert again.all_credentials() == {
            ann.key: replace(tokens("ann", 1), ended=Ending.USED_BEFORE),
            ben.key: tokens("ben", 1),
        }
        assert again.spent([tokens("ann", 1).refresh, tokens("ben", 1).refresh]) == {tokens("ann", 1).refresh: ann.key}


def test_of_tokens_that_do_not_say_when_the_pools_stay(copies: Backups, store: Store) -> None:
    """A backup is never younger than the pool."""
    ann = put(store, "ann", turn=5)
    copies.create("mine", NOON)
    newer = replace(tokens("ann", 6), refreshed_at=5.0)
    store.save_credentials(ann.key, newer, replaces=tokens("ann", 5).refresh).result()
    assert restore(copies, "mine", NOON).kept == ("ann",)
    assert store.credentials(ann.key) == newer


def test_what_the_provider_thinks_goes_with_the_tokens(copies: Backups, store: Store) -> None:
    """An account whose tokens died since is not called good again because a backup says so."""
    dead, back = put(store, "dead"), put(store, "back", turn=5)
    copies.create("mine", NOON)
    put(store, "back", turn=1)
    for account in (dead, back):
        store.set_standing(account.key, Standing.NEEDS_LOGIN, "invalid_grant").result()
    restore(copies, "mine", NOON)
    standings = {account.label: (account.standing, account.standing_reason) for account in store.accounts()}
    assert standings == {"dead": (Standing.NEEDS_LOGIN, "invalid_grant"), "back": (Standing.GOOD, "")}


def test_a_refresh_during_a_restore_is_never_lost(copies: Backups, store: Store) -> None:
    """Whoever stores newer tokens while backups are restored finds the newest ones stored in the end."""
    ann = put(store, "ann")
    copies.create("mine", NOON)

    def refresh() -> list[bool]:
        turns = range(1, 60)
        return [
            store.save_credentials(ann.key, tokens("ann", n + 1), replaces=tokens("ann", n).refresh).result()
            for n in turns
        ]

    with ThreadPoolExecutor(1) as thread:
        stored = thread.submit(refresh)
        for _ in range(5):
            restore(copies, "mine", NOON)
        assert all(stored.result())
    assert store.credentials(ann.key) == tokens("ann", 60)


# --- what would go ---------------------------------------------------------------------------------------------------


def test_accounts_go_only_when_agreed(copies: Backups, store: Store) -> None:
    """Each one that the backup lacks is named, and without consent to each of them nothing happens at all."""
    put(store, "ann")
    copies.create("mine", NOON)
    bob, cat = put(store, "bob"), put(store, "cat")
    assert would_lose(copies, "mine") == {bob.key: "bob", cat.key: "cat"}
    before = content(store.path)
    for may_lose, named in (((), "bob, cat"), ((bob.key,), "cat")):
        with pytest.raises(WouldLoseAccounts, match=rf"removed: {named}\. .*--yes"):
            restore(copies, "mine", NOON, may_lose=may_lose)
    assert content(store.path) == before
    assert [each.name for each in copies.entries()] == ["mine"]
    assert restore(copies, "mine", NOON, may_lose=(bob.key, cat.key)).removed == ("bob", "cat")
    assert [account.label for account in store.accounts()] == ["ann"]
    assert store.all_credentials().keys() == {seat("ann").key}


def test_an_account_added_at_the_last_moment_does_not_go(store: Store, copies: Backups) -> None:
    """What may go is looked at again under the lock, so an import between the question and the restore is safe."""

    class Overtaken(Backups):
        def create_free(self, stem: str, now: float) -> Path:
            made = super().create_free(stem, now)
            put(store, "bob")
            return made

    put(store, "ann")
    copies.create("mine", NOON)
    with pytest.raises(WouldLoseAccounts, match="bob"):
        restore(Overtaken(store.path, copies.folder), "mine", NOON)
    assert [account.label for account in store.accounts()] == ["ann", "bob"]


def test_the_way_back(copies: Backups, store: Store) -> None:
    """What was there before is a backup, which brings everything back, tokens included."""
    put(store, "ann")
    copies.create("mine", NOON)
    bob = put(store, "bob", turn=7)
    done = restore(copies, "mine", NOON, may_lose=(bob.key,))
    assert done.safety == "before-restore-2026-11-20T121500Z"
    back = restore(copies, done.safety, NOON)
    assert (back.returned, back.safety) == (("bob",), "before-restore-2026-11-20T121500Z-2")
    assert store.credentials(bob.key) == tokens("bob", 7)


def test_of_what_was_there_before_the_newest_seven_stay(copies: Backups, store: Store) -> None:
    """They make room with the backup of the day, by time and number, and no file that a person named goes with them."""
    put(store, "ann")
    theirs = {"before-restore-mine", "before-restore-2026-11-20", "before-restore-2026-11-20T121500Z-old", "mine"}
    for name in theirs:
        copies.create(name, NOON)
    copies.create_free("before-restore-2026-11-19T235959Z-99", NOON)
    made = [restore(copies, "mine", NOON).safety for _ in range(11)]
    assert made[-2:] == ["before-restore-2026-11-20T121500Z-10", "before-restore-2026-11-20T121500Z-11"]
    assert {*made, *theirs} < {each.name for each in copies.entries()}
    copies.daily(NOON)
    assert {each.name for each in copies.entries()} == {*made[-7:], *theirs, "auto-2026-11-20"}


KILLED = """
import os, sys
from pathlib import Path
from accounts.store.backups import Backups
class Killed(Backups):
    def _move(self, *_):
        os._exit(9)
where = (Path(sys.argv[1]), Path(sys.argv[1]).with_name("backups"))
if sys.argv[2] == "backup":
    Killed(*where).create("other", float(sys.argv[3]))
with Backups(*where).opened_copy("mine"):
    os._exit(9)
"""


@pytest.mark.parametrize("doing", ["backup", "restore"])
def test_what_a_kill_leaves_is_deleted_after_a_day(copies: Backups, store: Store, doing: str) -> None:
    """Half a backup, or the copy that a restore reads, holds tokens. While somebody may be at work on it, it stays."""
    put(store, "ann")
    copies.create("mine", NOON)
    argv = [sys.executable, "-c", KILLED, str(store.path), doing, str(NOON)]
    assert subprocess.run(argv, check=False, cwd=ROOT, timeout=60).returncode == 9
    (left,) = copies.folder.glob(".*")
    os.utime(left, (NOON, NOON))
    copies.daily(NOON + DAY)
    assert left.exists()
    copies.daily(NOON + 2 * DAY)
    assert {file.name for file in copies.folder.iterdir()} == {"mine.db", "auto-2026-11-21.db", "auto-2026-11-22.db"}


# --- running openers -------------------------------------------------------------------------------------------------


def test_an_open_store_sees_the_change_exactly_once(copies: Backups, store: Store) -> None:
    """A running proxy notices a restore like any other change, and goes on writing to the same file."""
    ann = put(store, "ann")
    copies.create("mine", NOON)
    for n in range(30):  # the live file has counted further than the backup
        store.update_account(ann.key, note=str(n)).result()
    with Store(store.path) as other:
        restore(copies, "mine", NOON)
        assert [store.changed_by_others(), other.changed_by_others()] == [True, True]
        assert [store.changed_by_others(), other.changed_by_others()] == [False, False]
        assert store.accounts() == other.accounts() == (ann,)
        other.update_account(ann.key, note="after").result()
        assert store.changed_by_others() is True
        assert store.accounts()[0].note == "after"


def test_nobody_sees_a_pool_in_between(copies: Backups, store: Store) -> None:
    """All rows change at once: a reader finds the accounts of before or of after."""
    for n in range(20):
        put(store, f"n{n}")
    copies.create("mine", NOON)

    def look() -> set[int]:
        return {len(store.accounts()) for _ in range(300)}

    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(look)
        for _ in range(5):
            restore(copies, "mine", NOON)
        assert seen.result() == {20}


def test_an_older_backup_is_migrated(store: Store, tmp_path: Path) -> None:
    """What a former version wrote comes back into a pool of this one."""
    ann = put(store, "ann")
    folder = tmp_path / "home" / "backups"
    Backups(store.path, folder).create("mine", NOON)
    store.close()
    later = (*schema.MIGRATIONS, "CREATE TABLE extra (x TEXT); INSERT INTO extra VALUES ('new');")
    with Store(store.path, migrations=later) as newer:
        newer.remove_account(ann.key).result()
        restore(Backups(store.path, folder, migrations=later), "mine", NOON)
        assert newer.accounts() == (ann,)
    with closing(sqlite3.connect(store.path)) as db:
        assert db.execute("SELECT x FROM extra").fetchall() == [("new",)]


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_a_backup_of_an_earlier_release(store: Store, tmp_path: Path, version: int) -> None:
    """Every schema there ever was can be restored."""
    folder = tmp_path / "home" / "backups"
    folder.mkdir(parents=True)
    account = old_pool(folder / "old.db", version, credentials())
    restore(Backups(store.path, folder), "old", NOON)
    assert (store.accounts(), store.credentials(account.key)) == ((account,), credentials())


def test_what_was_spent_stays_spent(store: Store, tmp_path: Path) -> None:
    """A restore does not forget which tokens were replaced since the backup was made."""
    backups = Backups(store.path, tmp_path / "home" / "backups")
    key = put(store, "ann").key
    backups.create("before", NOON)
    store.save_credentials(key, tokens("ann", 2), replaces=tokens("ann", 1).refresh).result()
    restore(backups, "before", NOON)
    assert store.spent([tokens("ann", 1).refresh]) == {tokens("ann", 1).refresh: key}


def test_who_may_use_the_proxy_is_not_restored(copies: Backups, store: Store) -> None:
    """A key that was taken back must not be good again, nor a new one lost."""
    put(store, "a")
    store.put_client_key("taken back", "secret-1", 1.0).result()
    copies.create("before", NOON)
    store.remove_client_key("taken back").result()
    store.put_client_key("new", "secret-2", 2.0).result()
    restore(copies, "before", NOON)
    assert list(store.client_keys().values()) == ["new"]


def test_what_a_backup_knows_as_spent_comes_with_it(copies: Backups, store: Store) -> None:
    """A pool that was lost knows nothing: without this, an old file could bring a dead token back."""
    key = put(store, "ann").key
    store.save_credentials(key, tokens("ann", 2), replaces=tokens("ann", 1).refresh).result()
    copies.create("mine", NOON)
    store.close()
    store.path.unlink()
    restore(copies, "mine", NOON)
    with Store(store.path) as again:
        assert again.spent([tokens("ann", 1).refresh, "another"]) == {tokens("ann", 1).refresh: key}


# --- what is refused -------------------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwritten(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [(cut, BackupDamaged), (overwritten, BackupDamaged), (newer, StoreTooNew), (os.remove, UnknownBackup)],
)
def test_a_bad_backup_leaves_the_pool_alone(
    copies: Backups, store: Store, spoil: Callable[[Path], None], error: type[Exception]
) -> None:
    """Damaged, newer and missing backups are refused before anything is touched, byte for byte."""
    put(store, "ann")
    spoil(copies.create("mine", NOON))
    put(store, "bob")
    before = (store.path.read_bytes(), content(store.path))
    for attempt in (would_lose, lambda *given: restore(*given, NOON, may_lose=(seat("bob").key,))):
        with pytest.raises(error):
            attempt(copies, "mine")
    assert (store.path.read_bytes(), content(store.path)) == before
    assert store.changed_by_others() is False
    assert not list(copies.folder.glob("before-restore-*"))
    assert not list(copies.folder.glob(".*"))


def test_a_damaged_pool_is_left_alone_and_the_way_out_is_named(copies: Backups, store: Store) -> None:
    """Moved aside, as the message says, it makes room for the backup."""
    ann = put(store, "ann")
    copies.create("mine", NOON)
    store.close()
    store.path.write_bytes(b"not a database" * 99)
    with pytest.raises(StoreCorrupt, match=r"move it aside.*backup restore NAME"):
        restore(copies, "mine", NOON)
    assert store.path.read_bytes() == b"not a database" * 99
    store.path.rename(store.path.with_name("aside"))
    restore(copies, "mine", NOON)
    with Store(store.path) as again:
        assert again.accounts() == (ann,)


def test_a_write_that_fails_half_way_changes_nothing(copies: Backups, store: Store) -> None:
    """Here a table refuses: the pool is as it was, and no opener is told of a change."""
    ann = put(store, "ann")
    copies.create("mine", NOON)
    store.update_account(ann.key, note="later").result()
    with closing(sqlite3.connect(store.path)) as db:
        db.execute("CREATE TRIGGER refuse BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError):
        restore(copies, "mine", NOON)
    assert store.accounts()[0].note == "later"
    assert store.changed_by_others() is False
