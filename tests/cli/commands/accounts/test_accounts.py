"""`import` and `remove`: seats are added once, renewed in place, named uniquely; tokens stay unseen."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import InputNeeded
from accounts.logins.auth_file import read_auth_file
from accounts.model import Standing
from accounts.store.backups import Backups
from accounts.store.store import Store
from cli.commands.accounts.accounts import remove_account
from cli.ui.asking import NoAsking, SaidYes

type WriteLogin = Callable[..., Path]
type Run = Callable[..., Any]
type Fill = Callable[..., Any]


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


# --- import ----------------------------------------------------------------------------------------------------------


def test_import_and_what_to_do_next(run: Run, write_login: WriteLogin, home: Path) -> None:
    """A new seat is named after its e-mail, and the next command is printed."""
    ran = run("import", write_login("ann"))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == ("ann (ann@example.com) was added to the pool. Use it: codex-rotate run codex\n")
    with Store(home / "pool.db") as store:
        (account,) = store.accounts()
        assert account.added_at > 1_600_000_000
        assert store.credentials(account.key) == read_auth_file(write_login("ann")).credentials
        assert [event.kind for event in store.events(9)] == ["imported"]


def test_import_as_json(run: Run, write_login: WriteLogin) -> None:
    """Programs get the same facts."""
    origin = ("--backend-origin", "https://EU.chatgpt.com/", "--routing-override", "us_cr")
    data = run("import", write_login("ann"), "--label", "work", *origin, "--json").json
    assert data["result"] == "imported"
    assert data["next"] == "codex-rotate run codex"
    account = data["account"]
    assert (account["number"], account["label"], account["email"]) == (1, "work", "ann@example.com")
    assert (account["backend_origin"], account["routing_override"]) == ("https://eu.chatgpt.com", "us_cr")


def test_a_known_seat_is_renewed_in_place(run: Run, write_login: WriteLogin, home: Path) -> None:
    """A second login of a seat replaces its tokens and keeps its name, age and place in the list."""
    run("import", write_login("ann"), "--label", "work", "--backend-origin", "https://eu.chatgpt.com")
    run("import", write_login("bob"))
    with Store(home / "pool.db") as store:
        before = store.accounts()
        store.set_standing(before[0].key, Standing.NEEDS_LOGIN).result()
    ran = run("import", write_login("ann", turn=2))
    assert ran.out.startswith("work (ann@example.com) was renewed and keeps its label. Use it: ")
    with Store(home / "pool.db") as store:
        assert store.accounts() == before
        credentials = store.credentials(before[0].key)
        assert credentials is not None
        assert credentials.refresh == "refresh-secret-ann-2"


def test_renewing_with_wishes(run: Run, write_login: WriteLogin) -> None:
    """What the user says at a renewal is done too, but for the name: an account is not renamed by the way."""
    run("import", write_login("ann"))
    ran = run("import", write_login("ann", turn=2), "--label", "my work", "--routing-override", "us", "--json")
    assert (ran.json["result"], ran.json["known"]) == ("renewed", True)
    assert (ran.json["account"]["label"], ran.json["account"]["routing_override"]) == ("ann", "us")
    ran = run("import", write_login("ann", turn=3), "--label", "my work")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "ann (ann@example.com) is in the pool already: this login is of the same account, workspace acct-ann. It was "
        "renewed and keeps its label. To call it 'my work', run `codex-rotate label ann 'my work'`. Use it: "
        "codex-rotate run codex\n"
    )
    assert [each["label"] for each in run("list", "--json").json] == ["ann"]


def test_a_name_that_another_account_has_is_no_hindrance_to_a_renewal(run: Run, write_login: WriteLogin) -> None:
    """It would not be used."""
    run("import", write_login("ann"))
    run("import", write_login("bob"))
    ran = run("import", write_login("ann", turn=2), "--label", "bob")
    assert (ran.code, "keeps its label. To call it 'bob'" in ran.out) == (0, True)


def test_default_labels_that_are_taken(run: Run, write_login: WriteLogin) -> None:
    """One e-mail may own several workspaces: the second gets a number. A label asked for by name must be free."""
    for n, account in enumerate(("a", "b", "c"), 1):
        run("import", write_login("ann", turn=n, account=account))
    assert [each["label"] for each in run("list", "--json").json] == ["ann", "ann-2", "ann-3"]
    ran = run("import", write_login("bob"), "--label", "ANN-2")
    assert (ran.code, ran.out) == (2, "")
    assert "already called 'ANN-2'" in ran.err
    assert len(run("list", "--json").json) == 3


@pytest.mark.parametrize("label", ["", " ", " padded", "two\nlines", "\x1b[31mred", "-x", "12", "x" * 61])
def test_labels_that_cannot_be_typed_or_shown(run: Run, write_login: WriteLogin, label: str) -> None:
    """A label is one visible line, and no option or list number."""
    ran = run("import", write_login("ann"), f"--label={label}")
    assert ran.code == 2
    assert "A label " in ran.err


@pytest.mark.parametrize(
    "origin",
    [
        "http://x.example.com",
        "x.example.com",
        "https://",
        "https://x/path",
        "https://u:p@x",
        "https://x?q",
        "https://x:y",
        "https://chatgpt.com.evil.example",
        "https://chatgpt.com:8443",
    ],
)
def test_origins_that_tokens_must_not_go_to(run: Run, write_login: WriteLogin, origin: str) -> None:
    """Only an https origin, as the provider itself would name it."""
    ran = run("import", write_login("ann"), "--backend-origin", origin, "--json")
    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert "--backend-origin must be a host of the provider" in ran.json["error"]


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
