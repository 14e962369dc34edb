"""A backup is whole, private and never overwritten; the daily ones make room for each other and for nothing else."""

import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from accounts.errors import BackupDamaged, BadBackupName, StoreCorrupt, StoreError, StoreTooNew, UnknownBackup
from accounts.model import Account, Credentials
from accounts.store import backups, schema
from accounts.store.backups import BackupCondition, Backups, stamp
from accounts.store.store import Store
from tests.builders import DAY, spoiled

ROOT = Path(__file__).resolve().parents[3]
NOON = 1_795_176_900.0  # 2026-11-20, 12:15:00 UTC
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "pool.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "backups"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        put(opened, "ann")
        yield opened


@pytest.fixture
def copies(store: Store, folder: Path) -> Backups:
    return Backups(store.path, folder, pause=never)


def never(seconds: float) -> None:
    raise AssertionError(f"nothing here waits, least of all {seconds} s")


def put(store: Store, name: str) -> None:
    account = Account(account_id=f"acct-{name}", user_id="u", label=name)
    store.put_account(account, Credentials(access=f"access-{name}", refresh=f"refresh-{name}")).result()


def labels(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as db:
        return [row[0] for row in db.execute("SELECT label FROM account ORDER BY label")]


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


# --- creating --------------------------------------------------------------------------------------------------------


def test_a_backup_is_one_file_with_everything(copies: Backups, store: Store, folder: Path) -> None:
    """What was committed is in it, whether or not it has left the write-ahead log; nothing lies beside it."""
    put(store, "bob")
    made = copies.create("mine", NOON)
    assert made == folder / "mine.db"
    assert labels(made) == ["ann", "bob"]
    assert names(folder) == {"mine.db"}
    with closing(sqlite3.connect(made)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with Store(made) as opened:
        assert opened.accounts() == store.accounts()
        assert opened.all_credentials() == store.all_credentials()


def test_without_a_name_the_time_is_the_name(copies: Backups) -> None:
    """In UTC; a second one within the same second gets a number."""
    assert stamp(NOON) == "2026-11-20T121500Z"
    assert [copies.create(None, NOON).stem for _ in range(3)] == [stamp(NOON), f"{stamp(NOON)}-2", f"{stamp(NOON)}-3"]


@pytest.mark.parametrize(
    "name", ["a", "A-b_c.d", "2026-11-21T101500Z", "-dash", "console", "x" * 100, "before-restore-mine", "auto-mine"]
)
def test_names_that_may_be_given(copies: Backups, name: str) -> None:
    """Letters, digits, dot, dash and underscore, up to a hundred."""
    assert copies.create(name, NOON).stem == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "a..b", "../up", "a/b", "a\\b", "/abs", "C:x"),
        *("a b", "ü", "a\n", "a\0b", "x" * 101),
        *("con", "NUL", "com1.old", "٣"),
        *("auto-2026-11-21", "before-restore-2026-11-21T101500Z", "before-restore-2026-11-21T101500Z-2"),
    ],
)
def test_names_that_may_not_be_given(copies: Backups, folder: Path, name: str) -> None:
    """Nothing that leads elsewhere, hides the file, means a device, or is an automatic backup's."""
    with pytest.raises(BadBackupName, match="Choose another name"):
        copies.create(name, NOON)
    assert not folder.exists() or names(folder) == set()


def test_nothing_is_overwritten(copies: Backups, store: Store) -> None:
    """A taken name is refused and its file stays as it was, byte for byte."""
    made = copies.create("mine", NOON)
    before = made.read_bytes()
    put(store, "bob")
    with pytest.raises(BadBackupName, match="already"):
        copies.create("mine", NOON)
    assert made.read_bytes() == before
    assert names(made.parent) == {"mine.db"}


def test_of_two_at_once_one_wins(copies: Backups, folder: Path) -> None:
    """The same name asked for at the same time gives one backup and one refusal each for the others."""

    def attempt(_: int) -> bool:
        try:
            copies.create("mine", NOON)
        except BadBackupName:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(8))) == 1
    assert names(folder) == {"mine.db"}
    assert labels(folder / "mine.db") == ["ann"]


@posix
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_backups_are_private_whatever_the_umask(copies: Backups, folder: Path, umask: int) -> None:
    """The folder is 0700, also when it was open before, and each file is 0600."""
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    before = os.umask(umask)
    try:
        made = copies.create("mine", NOON)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


WRITER = """
import sys
from pathlib import Path
from accounts.model import Account, Credentials
from accounts.store.store import Store
with Store(Path(sys.argv[1])) as store:
    for n in range(150):
        account = Account(account_id=f"a-{n}", user_id="u", label=f"n{n}")
        store.put_account(account, Credentials(access="a" * 2000, refresh="r")).result()
        print(n, flush=True)
"""


def test_another_process_may_write_meanwhile(copies: Backups, path: Path) -> None:
    """Every backup is a moment of the pool: each account has its credentials, and none that was there is missing."""
    command = [sys.executable, "-c", WRITER, str(path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    counts = []
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) % 30 == 0:
                made = copies.create(f"at-{int(line)}", NOON)
                with closing(sqlite3.connect(made)) as db:
                    (accounts,) = db.execute("SELECT count(*) FROM account").fetchone()
                    whole = db.execute("SELECT count(*) FROM account JOIN credential USING (key)").fetchone()
                assert whole == (accounts,)
                assert accounts >= int(line) + 2
                counts.append(accounts)
    assert writer.returncode == 0
    assert counts == sorted(counts)
    assert len(counts) == 5


def test_a_damaged_pool_is_not_backed_up(copies: Backups, store: Store, path: Path, folder: Path) -> None:
    """A copy of a damaged file would pass for a backup: none is made, and the file is left alone."""
    for n in range(40):
        put(store, f"n{n}")
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match=r"pool\.db"):
        copies.create("mine", NOON)
    assert copies.daily(NOON) is None
    assert path.read_bytes() == before
    assert names(folder) == set()


def test_what_the_disk_refuses_is_said(copies: Backups, store: Store, folder: Path) -> None:
    """One sentence with a way out: a file where the folder should be, a pool that is gone."""
    folder.write_text("mine")
    for attempt in (copies.entries, lambda: copies.create("mine", NOON), lambda: copies.holding("a:u")):
        with pytest.raises(StoreError, match="CODEX_ROTATE_HOME"):
            attempt()
    folder.unlink()
    store.close()
    store.path.unlink()
    with pytest.raises(StoreError, match="CODEX_ROTATE_HOME"):
        copies.create("mine", NOON)


# --- listing ---------------------------------------------------------------------------------------------------------


def test_the_list_tells_time_size_and_accounts(copies: Backups, store: Store) -> None:
    """The newest comes first."""
    made = copies.create("old", NOON - DAY)
    put(store, "bob")
    copies.create("new", NOON)
    new, old = copies.entries()
    assert (new.name, new.made_at, new.accounts, new.condition) == ("new", NOON, 2, BackupCondition.USABLE)
    assert (old.name, old.made_at, old.accounts, old.size) == ("old", NOON - DAY, 1, made.stat().st_size)


def test_no_folder_is_no_backups(copies: Backups, folder: Path) -> None:
    """Looking makes nothing."""
    assert copies.entries() == ()
    assert not folder.exists()


SPOILED = [
    ("empty", BackupCondition.DAMAGED, BackupDamaged),
    ("text", BackupCondition.DAMAGED, BackupDamaged),
    ("truncated", BackupCondition.DAMAGED, BackupDamaged),
    ("cut within the head", BackupCondition.DAMAGED, BackupDamaged),
    ("DROP TABLE account", BackupCondition.DAMAGED, BackupDamaged),
    ("PRAGMA application_id = 7", BackupCondition.DAMAGED, BackupDamaged),
    ("PRAGMA user_version = 0", BackupCondition.DAMAGED, BackupDamaged),
    ("PRAGMA user_version = 99", BackupCondition.NEWER, StoreTooNew),
]


@pytest.mark.parametrize(("kind", "condition", "error"), SPOILED)
def test_what_cannot_be_used_is_listed_and_refused(
    copies: Backups, folder: Path, kind: str, condition: BackupCondition, error: type[StoreError]
) -> None:
    """A spoiled backup hides no other one, opens as an error that names it, and stays as it is."""
    copies.create("good", NOON)
    spoiled(kind, copies.create("bad", NOON))
    before = (folder / "bad.db").read_bytes()
    found = {each.name: each for each in copies.entries()}
    assert (found["bad"].condition, found["bad"].accounts) == (condition, None)
    assert (found["good"].condition, found["good"].accounts) == (BackupCondition.USABLE, 1)
    with pytest.raises(error, match=r"bad\.db"), copies.opened_copy("bad"):
        pytest.fail("it must not open")
    assert (folder / "bad.db").read_bytes() == before
    assert names(folder) == {"bad.db", "good.db"}


def test_other_files_are_not_backups(copies: Backups, folder: Path) -> None:
    """What we did not name, or have not finished, is not listed."""
    copies.create("mine", NOON)
    for name in (".x.unfinished", ".hidden.db", "notes.txt"):
        (folder / name).write_text("x")
    assert [each.name for each in copies.entries()] == ["mine"]


def test_looking_at_a_copied_pool_leaves_nothing_beside_it(copies: Backups, store: Store, folder: Path) -> None:
    """A pool.db that a person put there counts too, although it asks for a write-ahead log."""
    store.close()
    folder.mkdir()
    (folder / "by-hand.db").write_bytes(store.path.read_bytes())
    assert [(each.name, each.accounts) for each in copies.entries()] == [("by-hand", 1)]
    with copies.opened_copy("by-hand") as copy:
        assert labels(copy) == ["ann"]
    assert names(folder) == {"by-hand.db"}


# --- opening a copy --------------------------------------------------------------------------------------------------


def test_a_copy_is_gone_afterwards(copies: Backups, folder: Path) -> None:
    """It lies in a private folder of its own; the backup has only been read."""
    before = copies.create("mine", NOON).read_bytes()
    with copies.opened_copy("mine") as copy:
        assert labels(copy) == ["ann"]
        if os.name == "posix":
            assert (stat.S_IMODE(copy.stat().st_mode), stat.S_IMODE(copy.parent.stat().st_mode)) == (0o600, 0o700)
    assert names(folder) == {"mine.db"}
    assert (folder / "mine.db").read_bytes() == before


@pytest.mark.parametrize(("name", "error"), [("gone", UnknownBackup), ("../pool", BadBackupName), ("", BadBackupName)])
def test_a_copy_of_nothing(copies: Backups, name: str, error: type[Exception]) -> None:
    """An unknown name, and one that leads out of the folder."""
    with pytest.raises(error), copies.opened_copy(name):
        pytest.fail("it must not open")


def test_an_older_backup_is_brought_forward(store: Store, folder: Path) -> None:
    """The copy has the newest shape; the backup keeps its own."""
    Backups(store.path, folder, pause=never).create("mine", NOON)
    before = (folder / "mine.db").read_bytes()
    later = (*schema.MIGRATIONS, "CREATE TABLE extra (x TEXT);")
    with (
        Backups(store.path, folder, migrations=later).opened_copy("mine") as copy,
        closing(sqlite3.connect(copy)) as db,
    ):
        assert db.execute("PRAGMA user_version").fetchone() == (len(later),)
    assert (folder / "mine.db").read_bytes() == before
    assert names(folder) == {"mine.db"}


# --- every day -------------------------------------------------------------------------------------------------------


def test_one_a_day(copies: Backups, store: Store, folder: Path) -> None:
    """The first call of a day, in UTC, makes one; the others make nothing."""
    assert copies.due(NOON)
    assert backups.daily(store.path, folder, NOON) == folder / "auto-2026-11-20.db"
    assert not copies.due(NOON)
    assert copies.daily(NOON + 60) is None
    assert copies.daily(NOON + DAY) == folder / "auto-2026-11-21.db"
    assert names(folder) == {"auto-2026-11-20.db", "auto-2026-11-21.db"}


def test_the_newest_seven_stay_and_all_others_too(
    copies: Backups, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only automatic backups make room, never what a person named. What cannot be deleted stops nothing else."""
    theirs = {"mine.db", "auto-mine.db", "before-restore-mine.db", "auto-2026-11-01.copy.db", "auto-2026-11-01.txt"}
    for name in sorted(theirs):
        copies.create("one", NOON - 99 * DAY).rename(folder / name)
    (folder / "auto-2026-01-01.db").mkdir()
    for day in range(10):
        assert copies.daily(NOON + day * DAY) is not None
    kept = {f"auto-2026-11-{day}.db" for day in range(23, 30)}
    assert names(folder) == kept | theirs | {"auto-2026-01-01.db"}
    assert {line.partition(" could not be deleted. ")[0] for line in caplog.messages} == {"auto-2026-01-01.db"}


def test_a_clock_that_was_wrong_does_not_cost_the_new_one(copies: Backups, folder: Path) -> None:
    """With seven from the future, today's is still kept, and not made again and again."""
    for day in range(8):
        copies.daily(NOON + (100 + day) * DAY)
    assert copies.daily(NOON) == folder / "auto-2026-11-20.db"
    assert copies.daily(NOON) is None
    assert (folder / "auto-2026-11-20.db").exists()


HALF_A_BACKUP = ".0123456789abcdef.unfinished"


@pytest.mark.parametrize(
    ("name", "age", "stays"),
    [
        *((f"{HALF_A_BACKUP}{more}", DAY + 1, False) for more in ("", "-journal", "-wal", "-shm")),
        *((name, DAY - 1, True) for name in (HALF_A_BACKUP, f"{HALF_A_BACKUP}-journal")),
        *((name, 99 * DAY, True) for name in (".mine.unfinished", HALF_A_BACKUP[1:], f"{HALF_A_BACKUP}.txt", "notes")),
        *((name, 99 * DAY, True) for name in (".restoring-abcd_123", ".restoring-mine", ".hidden.db")),
    ],
)
def test_half_a_backup_goes_after_a_day(copies: Backups, folder: Path, name: str, age: float, stays: bool) -> None:
    """Somebody may still be at work on a younger one; anything that is called otherwise is somebody else's."""
    folder.mkdir()
    (folder / name).write_text("x")
    os.utime(folder / name, (NOON - age, NOON - age))
    assert copies.daily(NOON) is not None
    assert (folder / name).exists() is stays
    assert copies.daily(NOON) is None


@pytest.mark.parametrize("now", [NOON, float("nan")])
def test_a_failure_is_one_line_of_the_log(
    copies: Backups, folder: Path, caplog: pytest.LogCaptureFixture, now: float
) -> None:
    """A proxy goes on without a backup: nothing is raised, and one warning tells why."""
    folder.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        assert copies.daily(now) is None
    (line,) = caplog.messages
    assert line.startswith("No automatic backup was made. ")
    assert "\n" not in line
