"""A file gets into its newest shape safely, stays private, and is never harmed when it cannot be read."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from accounts.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnusable
from accounts.model import Account, Credentials
from accounts.store import schema
from accounts.store.store import Store
from tests.builders import credentials, old_pool

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "pool.db"


def put(store: Store, name: str) -> Account:
    account = Account(account_id=f"acct-{name}", user_id=f"user-{name}", label=name)
    store.put_account(account, Credentials(access=f"access-of-{name}", refresh=f"refresh-of-{name}")).result()
    return account


# --- files it cannot use ---------------------------------------------------------------------------------------------


def damaged(kind: str, path: Path) -> None:
    with Store(path) as store:
        for n in range(40):
            put(store, f"n{n}")
    content = path.read_bytes()
    if kind == "text":
        path.write_bytes(b"this is not a database, it is a note to myself\n" * 99)
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "cut within the head":
        path.write_bytes(content[:60])
    elif kind == "overwritten inside":
        path.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute(kind)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("text", StoreCorrupt),
        ("truncated", StoreCorrupt),
        ("cut within the head", StoreCorrupt),
        ("overwritten inside", StoreCorrupt),
        ("PRAGMA application_id = 7", StoreCorrupt),
        ("PRAGMA user_version = 99", StoreTooNew),
    ],
)
def test_a_file_it_cannot_read_stays_as_it_is(path: Path, kind: str, error: type[StoreError]) -> None:
    """Damaged, foreign and newer files are named and left alone, byte for byte."""
    damaged(kind, path)
    before = path.read_bytes()
    with pytest.raises(error, match=r"pool\.db.* left untouched: \w+"):
        Store(path)
    assert path.read_bytes() == before


def test_a_folder_in_the_way(path: Path) -> None:
    """What the file system refuses is said in one sentence with a way out."""
    path.mkdir(parents=True)
    with pytest.raises(StoreUnusable, match=r"it is a folder, where a file has to be.*Move it aside"):
        Store(path)


@posix
def test_a_shared_folder_is_refused_and_not_closed_to_others(path: Path) -> None:
    """Pointing us at something like /tmp must not lock everybody else out of it."""
    path.parent.mkdir()
    path.parent.chmod(0o1777)
    with pytest.raises(StoreUnusable, match="shared by everybody"):
        Store(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o1777


def test_a_creation_that_was_cut_short_is_finished(path: Path) -> None:
    """A crash while the file was being made leaves a journal, which does not lock the user out."""
    path.parent.mkdir(mode=0o700)
    making = path.with_name("making.db")
    with closing(sqlite3.connect(making, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE big (x)")
        db.executemany("INSERT INTO big VALUES (?)", (("x" * 3000,) for _ in range(100)))
        path.write_bytes(making.read_bytes())
        path.with_name("pool.db-journal").write_bytes(making.with_name("making.db-journal").read_bytes())
        db.execute("ROLLBACK")
    with Store(path) as store:
        assert store.accounts() == ()


# --- modes -----------------------------------------------------------------------------------------------------------


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@posix
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_everything_is_private_whatever_the_umask(path: Path, umask: int) -> None:
    """Database, write-ahead log, shared memory and lock are 0600 in a 0700 folder."""
    before = os.umask(umask)
    try:
        with Store(path) as store:
            put(store, "a")
            assert {f.name for f in path.parent.iterdir()} >= {"pool.db", "pool.db-wal", "pool.db-shm"}
            assert modes(path.parent) == {0o600}
            assert store.repairs == ()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@posix
def test_wrong_modes_are_repaired_and_reported(path: Path) -> None:
    """A folder or file that others could read is closed to them, and the user is told that it was open."""
    Store(path).close()
    path.chmod(0o644)
    path.parent.chmod(0o755)
    with Store(path) as store:
        folder, file = store.repairs
    assert folder == f"{path.parent} was open to other users (mode 0755); it is now 0700."
    assert file == f"{path} was open to other users (mode 0644); it is now 0600."
    assert modes(path.parent) == {0o600}


# --- migrations ------------------------------------------------------------------------------------------------------

LATER = (*schema.MIGRATIONS, "CREATE TABLE extra (x TEXT); INSERT INTO extra VALUES ('migrated');")


def test_a_migration_is_preceded_by_a_copy(path: Path) -> None:
    """An existing file is copied as it was, then brought forward; opening it again copies nothing more."""
    with Store(path) as store:
        account = put(store, "a")
    assert list(path.parent.glob("*before*")) == []
    with Store(path, migrations=LATER) as store:
        assert store.accounts() == (account,)
    copy = path.with_name(f"pool.db.before-v{len(LATER)}")
    assert list(path.parent.glob("*before*")) == [copy]
    if os.name == "posix":
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
        assert db.execute("SELECT label FROM account").fetchall() == [("a",)]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)
        assert db.execute("SELECT x FROM extra").fetchall() == [("migrated",)]
    with pytest.raises(StoreTooNew, match=f"schema {len(LATER)}, this one knows {len(schema.MIGRATIONS)}"):
        Store(path)


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_a_pool_of_an_earlier_release_comes_forward(path: Path, version: int) -> None:
    """Its accounts and tokens are there, what is new works, and the copy from before is as it was."""
    account, login = old_pool(path, version, credentials()), credentials()
    with Store(path) as store:
        assert (store.accounts(), store.all_credentials()) == ((account,), {account.key: login})
        store.count("x").result()
        assert store.counters() == {"x": 1}
        assert store.spent([login.refresh]) == {}
    with closing(sqlite3.connect(path.with_name(f"pool.db.before-v{version + 1}"))) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (version,)


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """A step is done wholly or not at all."""
    with Store(path) as store:
        account = put(store, "a")
    with pytest.raises(StoreError):
        Store(path, migrations=(*schema.MIGRATIONS, "CREATE TABLE extra (x); SELECT * FROM nowhere;"))
    with Store(path) as store:
        assert store.accounts() == (account,)
