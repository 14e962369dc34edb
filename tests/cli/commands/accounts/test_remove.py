"""`remove`: only our copy goes, after a yes; what still holds the login is told, and no command shows a token."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import InputNeeded
from accounts.logins.auth_file import read_auth_file
from accounts.store.backups import Backups
from accounts.store.store import Store
from cli.commands.accounts.remove import remove_account
from cli.ui.asking import NoAsking, SaidYes

type WriteLogin = Callable[..., Path]
type Run = Callable[..., Any]
type Fill = Callable[..., Any]


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


# --- remove ----------------------------------------------------------------------------------------------------------


def test_remove_says_what_stays(run: Run, fill: Fill) -> None:
    """Only our copy goes, and the message says so."""
    fill("ann", "bob")
    ran = run("remove", "an", "--yes")
    assert ran.code == 0
    assert "Only our copy of its login is gone" in ran.out
    assert [each["label"] for each in run("list", "--json").json] == ["bob"]
    assert "backup" not in ran.out
    told = run("remove", "1", "--yes", "--json").json
    assert told == {"removed": "bob", "account_id": "acct-bob", "backups": []}


def test_remove_of_the_account_that_everybody_uses(run: Run, fill: Fill) -> None:
    """The choice goes with it, and that is said."""
    fill("ann", "bob")
    run("use", "ann")
    assert "the pool chooses again" in run("remove", "ann", "--yes").out
    assert run("use", "--json").json["chosen"] is None
    assert "chooses again" not in run("remove", "bob", "--yes").out


def test_remove_says_where_the_login_still_is(run: Run, fill: Fill, home: Path) -> None:
    """A backup keeps what it was made of: those that hold the account are counted, and named for programs. One that
    cannot be read may hold anybody."""
    fill("ann", "bob")
    run("backup", "create", "first")
    fill("cy")
    run("backup", "create", "second")
    assert "Its login is still in 2 backups: `codex-rotate backup list`" in run("remove", "ann", "--yes").out
    assert "Its login is still in a backup: `codex-rotate backup list`" in run("remove", "cy", "--yes").out
    (home / "backups" / "first.db").write_bytes(b"x" * 5000)
    (home / "backups" / ".hidden.db").write_bytes(b"x")
    assert run("remove", "bob", "--yes", "--json").json["backups"] == ["first", "second"]
    assert {file.name for file in (home / "backups").iterdir()} == {"first.db", "second.db", ".hidden.db"}


def test_backups_that_cannot_be_seen_do_not_stop_remove(run: Run, fill: Fill, home: Path) -> None:
    """Here a file is where their folder should be."""
    fill("ann")
    (home / "backups").write_text("not a folder")
    ran = run("remove", "ann", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert run("list", "--json").json == []


def test_remove_asks(store: Store, fill: Fill, home: Path) -> None:
    """No answer, or no: the account stays. Yes: it goes."""
    fill("ann")
    copies = Backups(store.path, home / "backups")

    class SaidNo(SaidYes):
        def confirm(self, question: str, option: str) -> bool:
            assert "ann (ann@example.com)" in question
            assert option == "--yes"
            return False

    with pytest.raises(InputNeeded, match="--yes"):
        remove_account(store, copies, "ann", NoAsking(), now=1.0)
    kept = remove_account(store, copies, "ann", SaidNo(), now=1.0)
    assert (kept.exit_code, kept.message) == (1, "ann was not removed.")
    assert len(store.accounts()) == 1
    assert remove_account(store, copies, "ann", SaidYes(), now=1.0).exit_code == 0
    assert store.accounts() == ()


def test_remove_without_a_terminal_needs_yes(run: Run, fill: Fill) -> None:
    """A script that forgot --yes is told so and nothing is removed."""
    fill("ann")
    ran = run("remove", "ann", "--json")
    assert ran.code == ran.json["exit_code"] == 2
    assert "--yes" in ran.json["error"]
    assert len(run("list", "--json").json) == 1


@pytest.mark.parametrize(("wanted", "said"), [("nobody", "There is no account 'nobody'"), ("a", "ann (1), amy (2)")])
def test_remove_of_none_or_several(run: Run, fill: Fill, wanted: str, said: str) -> None:
    """It must be clear which account is meant."""
    fill("ann", "amy")
    ran = run("remove", wanted, "--yes")
    assert ran.code == 2
    assert said in ran.err


# --- everywhere ------------------------------------------------------------------------------------------------------


def test_no_command_shows_a_token(run: Run, write_login: WriteLogin) -> None:
    """Neither for people nor for programs, on neither stream."""
    logins = [write_login("ann"), write_login("ann", turn=2), write_login("bob")]
    shown = ""
    for words in (*(("import", login) for login in logins), ("list",), ("status",), ("remove", "ann", "--yes")):
        for as_json in ((), ("--json",)):
            ran = run(*words, *as_json)
            shown += ran.out + ran.err
    for credentials in (read_auth_file(login).credentials for login in logins):
        assert credentials.access not in shown
        assert credentials.refresh not in shown


@pytest.mark.skipif(not hasattr(Path, "chmod"), reason="file modes")
def test_repairs_are_told(run: Run, fill: Fill, home: Path) -> None:
    """A database that others could read is closed, and the user learns of it on stderr."""
    fill("ann")
    (home / "pool.db").chmod(0o644)
    ran = run("list", "--json")
    assert len(ran.json) == 1
    assert "was open to other users (mode 0644)" in ran.err
    assert run("list").err == ""
