"""`backup`: a copy is one command away, so is the way back, and nobody loses an account without hearing its name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import InputNeeded, WouldLoseAccounts
from accounts.model import Account, Credentials
from accounts.store.backups import Backups
from accounts.store.store import Store
from accounts.tokens.sent_marks import SentMarks
from cli.commands.setup.backup import create_backup, list_backups, restore_backup
from cli.ui.asking import NoAsking, SaidYes

type Run = Callable[..., Any]
type Fill = Callable[..., Any]

NOON = 1_795_176_900.0


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def copies(store: Store, home: Path) -> Backups:
    return Backups(store.path, home / "backups")


# --- create and list -------------------------------------------------------------------------------------------------


def test_create(run: Run, fill: Fill, home: Path) -> None:
    """It says where the copy is and that it is as secret as the pool; the tokens themselves are not shown."""
    fill("ann")
    ran = run("backup", "create", "mine")
    assert (ran.code, ran.err) == (0, "")
    assert str(home / "backups" / "mine.db") in ran.out
    assert "private" in ran.out
    assert "access-ann" not in ran.out
    data = run("backup", "create", "other", "--json").json
    assert data["name"] == "other"
    assert Path(data["file"]).stat().st_size == data["size"]


def test_create_without_a_name(copies: Backups) -> None:
    """The time in UTC is the name."""
    assert create_backup(copies, None, NOON).data["name"] == "2026-11-20T121500Z"  # type: ignore[index]


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b", "mine"])
def test_names_that_are_refused(run: Run, fill: Fill, name: str) -> None:
    """Wrong usage: one line, or one JSON value, that says what to do."""
    fill("ann")
    run("backup", "create", "mine")
    ran = run("backup", "create", name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "Choose another name." in ran.err
    assert run("backup", "create", name, "--json").json["exit_code"] == 2


def test_list_of_nothing(run: Run, home: Path) -> None:
    """It says how to make one, and makes nothing by itself."""
    ran = run("backup", "list")
    assert (ran.code, ran.err) == (0, "")
    assert "codex-rotate backup create" in ran.out
    assert run("backup", "list", "--json").json == []
    assert not home.exists()


def test_list(run: Run, fill: Fill, home: Path) -> None:
    """Every file is a row; a damaged one says so."""
    fill("ann", "bob")
    run("backup", "create", "mine")
    (home / "backups" / "bad.db").write_bytes(b"x" * 5000)
    ran = run("backup", "list")
    assert ran.code == 0
    rows = {line.split()[0]: line for line in ran.out.splitlines()[2:] if line.strip()}
    assert rows["mine"].split()[-1] == "2"
    assert rows["bad"].split()[-3:] == ["5", "kB", "damaged"]
    data = {each["name"]: each for each in run("backup", "list", "--json").json}
    assert (data["mine"]["accounts"], data["mine"]["condition"]) == (2, "usable")
    assert (data["bad"]["accounts"], data["bad"]["condition"], data["bad"]["size"]) == (None, "damaged", 5000)


@pytest.mark.parametrize(("size", "shown"), [(0, "0 kB"), (69_632, "70 kB"), (1_250_000, "1.2 MB")])
def test_sizes(copies: Backups, size: int, shown: str) -> None:
    """In the unit that a person would use."""
    copies.folder.mkdir()
    (copies.folder / "bad.db").write_bytes(b"x" * size)
    table = list_backups(copies, NOON).table
    assert table is not None
    assert table.rows[0][2] == shown


# --- restore ---------------------------------------------------------------------------------------------------------


def test_restore_tells_the_truth_about_tokens(run: Run, fill: Fill) -> None:
    """Nobody is asked when nobody is lost; what came back, what was kept and the way back are said."""
    fill("ann", "bob")
    run("backup", "create", "mine")
    run("remove", "ann", "--yes")
    ran = run("backup", "restore", "mine")
    assert (ran.code, ran.err) == (0, "")
    assert "as it was in the backup mine: 2 accounts." in ran.out
    assert "kept for 0 accounts." in ran.out
    assert "Back in the pool: ann." in ran.out
    assert "A refresh token works only once" in ran.out
    assert "codex-rotate backup restore before-restore-" in ran.out
    assert {each["label"] for each in run("list", "--json").json} == {"ann", "bob"}


def test_restore_says_whose_tokens_were_used_since(copies: Backups, store: Store, home: Path) -> None:
    """Also where the pool that knew of it is gone."""
    account = Account(account_id="ann", user_id="u", label="ann")
    store.put_account(account, Credentials(access="a1", refresh="r1", refreshed_at=1.0)).result()
    copies.create("mine", NOON)
    SentMarks(home / "locks").spend("ann:u", "r1")
    store.remove_account("ann:u").result()
    said = restore_backup(copies, "mine", NoAsking(), NOON).message
    assert "The refresh tokens of ann were used since the backup was made, and are not sent again" in said


def test_restore_keeps_newer_tokens_and_counts_them(copies: Backups, store: Store) -> None:
    """The tokens of the pool win where they were refreshed later."""
    for name in ("ann", "bob"):
        account = Account(account_id=name, user_id="u", label=name)
        store.put_account(account, Credentials(access="a1", refresh="r1", refreshed_at=1.0)).result()
    copies.create("mine", NOON)
    newer = Credentials(access="a2", refresh="r2", refreshed_at=2.0)
    assert store.save_credentials("ann:u", newer, replaces="r1").result()
    result = restore_backup(copies, "mine", NoAsking(), NOON)
    assert "kept for 1 account (ann)." in result.message
    assert store.credentials("ann:u") == newer
    assert result.data == {
        "restored": "mine",
        "accounts": 2,
        "kept_tokens": ["ann"],
        "returned": [],
        "removed": [],
        "safety_backup": "before-restore-2026-11-20T121500Z",
    }


class Answers(SaidYes):
    """Says what it was told to, remembers the question, and may do something first."""

    def __init__(self, answer: bool, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.answer = answer
        self.meanwhile = meanwhile
        self.asked: list[tuple[str, str]] = []

    def confirm(self, question: str, option: str) -> bool:
        self.asked.append((question, option))
        self.meanwhile()
        return self.answer


def test_restore_asks_before_accounts_go(copies: Backups, store: Store, fill: Fill) -> None:
    """They are named in the question. No answer, or no: nothing happens. Yes: they go, and are named again."""
    copies.create("empty", NOON)
    accounts = fill("ann", "bob")
    with pytest.raises(InputNeeded, match=r"ann, bob\..*--yes"):
        restore_backup(copies, "empty", NoAsking(), NOON)
    no = Answers(answer=False)
    result = restore_backup(copies, "empty", no, NOON)
    assert (result.exit_code, result.message, result.data) == (1, "Nothing was restored.", {"restored": None})
    assert [option for _, option in no.asked] == ["--yes"]
    assert store.accounts() == accounts
    assert "not in the backup: ann, bob." in restore_backup(copies, "empty", SaidYes(), NOON).message
    assert store.accounts() == ()


def test_an_account_that_arrives_while_the_person_thinks(copies: Backups, store: Store, fill: Fill) -> None:
    """Only what was asked about may go: with another one in the pool, nothing happens."""
    copies.create("empty", NOON)
    fill("ann")
    with pytest.raises(WouldLoseAccounts, match="bob"):
        restore_backup(copies, "empty", Answers(answer=True, meanwhile=lambda: fill("bob")), NOON)
    assert {account.label for account in store.accounts()} == {"ann", "bob"}


def test_restore_without_a_terminal(run: Run, fill: Fill) -> None:
    """A script has to say --yes, and is told so; with it, the answer is one JSON value."""
    run("backup", "create", "empty")
    fill("ann")
    ran = run("backup", "restore", "empty", "--json")
    assert ran.code == ran.json["exit_code"] == 2
    assert len(run("list", "--json").json) == 1
    assert run("backup", "restore", "empty", "--yes", "--json").json["removed"] == ["ann"]
    assert run("list", "--json").json == []


@pytest.mark.parametrize(
    ("name", "code", "said"), [("gone", 2, "backup list"), ("../pool", 2, "name"), ("bad", 1, "bad.db")]
)
def test_what_cannot_be_restored(run: Run, fill: Fill, home: Path, name: str, code: int, said: str) -> None:
    """One line that says what to do; the pool stays."""
    fill("ann")
    (home / "backups").mkdir()
    (home / "backups" / "bad.db").write_bytes(b"x" * 5000)
    ran = run("backup", "restore", name, "--yes")
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert said in ran.err
    assert len(run("list", "--json").json) == 1


@pytest.mark.parametrize("name", ["create", "list", "restore"])
def test_help(run: Run, name: str) -> None:
    """Each command tells what it does and has --json; the group alone says that one is missing."""
    assert "--json" in run("backup", name, "--help").out
    assert name in run("backup", "--help").out
    assert run("backup").code == 2
