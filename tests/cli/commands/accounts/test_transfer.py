"""`import` of every format and `export`: each account once, nothing half, nothing shown that nobody may see."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from accounts.logins.auth_file import read_auth_file
from accounts.model import Standing
from accounts.store.store import Store

type WriteLogin = Callable[..., Path]
type Run = Callable[..., Any]
type Fill = Callable[..., Any]


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def to_file(*entries: dict[str, Any], name: str = "them.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({"version": 3, "accounts": entries, "activeIndex": 0}))
        return path

    return to_file


def entry(name: str, **changes: Any) -> dict[str, Any]:
    refresh = f"refresh-secret-{name}"
    return {"accountId": f"acct-{name}", "email": f"{name}@example.com", "refreshToken": refresh} | changes


def access(name: str, expires: int) -> str:
    auth = {"chatgpt_account_id": f"acct-{name}", "chatgpt_user_id": f"user-{name}"}
    claims = {"https://api.openai.com/auth": auth, "exp": expires}
    return jwt.encode(claims, "a test signs with a key that is long enough", algorithm="HS256")


# --- import: one login -----------------------------------------------------------------------------------------------


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


# --- import: a file of many ------------------------------------------------------------------------------------------


def test_many_accounts(run: Run, write: Callable[..., Path]) -> None:
    """A table for people, results and problems for programs; a second import changes nothing."""
    path = write(entry("ann"), entry("bob", flaggedAt=1, flaggedReason="x"), entry("cy", enabled=False))
    ran = run("import", path)
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split() for line in ran.out.splitlines() if "@" in line]
    assert rows == [
        ["ann", "ann@example.com", "imported"],
        ["bob", "bob@example.com", "imported", "needs", "login"],
        ["cy", "cy@example.com", "imported", "paused"],
    ]
    assert "codex-rotate run codex" in ran.out
    data = run("import", path, "--json").json
    assert data["problems"] == []
    assert [each["result"] for each in data["results"]] == ["renewed"] * 3
    assert [each["account"]["state"] for each in data["results"]] == ["ready", "needs_login", "paused"]
    assert len(run("list", "--json").json) == 3


def test_a_file_that_is_wrong_in_one_place(run: Run, write: Callable[..., Path]) -> None:
    """Nothing of it is imported."""
    path = write(entry("ann"), entry("bob", refreshToken=None))
    ran = run("import", path)
    assert (ran.code, ran.out) == (1, "")
    assert f"{path}: accounts[1].refreshToken is missing" in ran.err
    assert run("list", "--json").json == []


def test_a_folder(run: Run, write: Callable[..., Path], write_login: WriteLogin, tmp_path: Path) -> None:
    """What is no login is told on stderr and does not stop the others."""
    write_login("ann")
    write(entry("bob"))
    (tmp_path / "broken.json").write_text("{")
    ran = run("import", tmp_path, "--json")
    assert ran.code == 0
    assert sorted(each["account"]["label"] for each in ran.json["results"]) == ["ann", "bob"]
    assert len(ran.json["problems"]) == 1
    assert "broken.json: it is not JSON" in ran.err


def test_one_label_is_for_one_account(run: Run, write: Callable[..., Path]) -> None:
    ran = run("import", write(entry("ann"), entry("bob")), "--label", "work")
    assert ran.code == 2
    assert "--label is for one account" in ran.err
    assert (
        run("import", write(entry("ann")), "--label", "work", "--json").json["results"][0]["account"]["label"] == "work"
    )


def test_one_seat_under_two_names(run: Run, write: Callable[..., Path], write_login: WriteLogin, store: Store) -> None:
    """A file that does not know the user, and later one that does: one seat, and one owner of the refresh token."""
    run("import", write(entry("ann")))
    run("import", write_login("ann"))
    (account,) = store.accounts()
    stored = store.credentials(account.key)
    assert stored == read_auth_file(write_login("ann")).credentials
    again = run("import", write(entry("other", refreshToken="refresh-secret-ann-1")), "--json").json
    assert again["results"][0]["result"] == "kept"
    assert len(store.accounts()) == 1
    assert store.credentials(account.key) == stored


def test_the_pools_newer_tokens_stay(run: Run, write: Callable[..., Path], store: Store) -> None:
    """A file without a date of its last refresh is older if its token ends earlier."""
    run("import", write(entry("ann", accessToken=access("ann", 2000))))
    (account,) = store.accounts()
    before = store.credentials(account.key)
    for older in (
        entry("ann", refreshToken="rt-old"),
        entry("ann", refreshToken="rt-old", accessToken=access("ann", 1000)),
    ):
        assert run("import", write(older), "--json").json["results"][0]["result"] == "kept"
        assert store.credentials(account.key) == before
    newer = entry("ann", refreshToken="rt-new", accessToken=access("ann", 3000))
    assert run("import", write(newer), "--json").json["results"][0]["result"] == "renewed"


def test_a_flagged_copy_of_a_good_account(run: Run, write: Callable[..., Path], store: Store) -> None:
    """It neither flags the account nor replaces its tokens."""
    run("import", write(entry("ann", accessToken=access("ann", 2000))))
    flagged = entry("ann", accessToken=access("ann", 9000), flaggedAt=5)
    assert run("import", write(flagged), "--json").json["results"][0]["result"] == "kept"
    assert store.accounts()[0].standing is Standing.GOOD


# --- several files ---------------------------------------------------------------------------------------------------


def test_several_files_and_folders(
    run: Run, write: Callable[..., Path], write_login: WriteLogin, tmp_path: Path
) -> None:
    """Each login is told with its file; a folder among them is read file by file."""
    (tmp_path / "more").mkdir()
    one, many = write_login("ann"), write(entry("bob"), entry("cy"))
    write_login("dee").rename(tmp_path / "more" / "dee.json")
    ran = run("import", one, many, tmp_path / "more", "--json")
    assert (ran.code, ran.err, ran.json["failed"], ran.json["problems"]) == (0, "", [], [])
    told = [(each["account"]["label"], each["result"], each["file"]) for each in ran.json["results"]]
    assert told == [
        ("ann", "imported", str(one)),
        ("bob", "imported", str(many)),
        ("cy", "imported", str(many)),
        ("dee", "imported", str(tmp_path / "more")),
    ]
    ran = run("import", one, many)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[-1] for line in ran.out.splitlines() if "@" in line] == ["renewed"] * 3
    assert str(one) in ran.out


def test_a_bad_file_keeps_no_other_one_out(run: Run, write_login: WriteLogin, tmp_path: Path) -> None:
    """Exit code 1, what failed is named with its reason, and the rest is in the pool."""
    (broken := tmp_path / "broken.json").write_text("{")
    missing = tmp_path / "ann-2.json"
    words = ("import", missing, write_login("ann"), broken, write_login("bob"))
    ran = run(*words)
    assert ran.code == 1
    assert f"{broken}: it is not JSON." in ran.err
    assert f"{missing} is not there. Did you mean {tmp_path / 'ann-1.json'}?" in ran.err
    assert f"Not imported: {missing}, {broken}." in ran.out
    assert "Nothing was imported" not in ran.out + ran.err
    assert [each["label"] for each in run("list", "--json").json] == ["ann", "bob"]
    told = run(*words, "--json").json
    assert [each["file"] for each in told["failed"]] == [str(missing), str(broken)]
    assert len(told["results"]) == 2


def test_nothing_but_bad_files(run: Run, tmp_path: Path) -> None:
    ran = run("import", tmp_path / "a", tmp_path / "b")
    assert (ran.code, ran.out.count("\n")) == (1, 1)
    assert "Use them" not in ran.out
    assert run("import", tmp_path / "a", tmp_path / "b", "--json").json["results"] == []


def test_one_label_for_several_files(run: Run, write_login: WriteLogin, tmp_path: Path) -> None:
    """Nothing is imported before that is known. With one login among them there is no doubt."""
    ran = run("import", write_login("ann"), write_login("bob"), "--label", "work")
    assert (ran.code, "--label is for one account, and there are 2" in ran.err) == (2, True)
    assert run("list", "--json").json == []
    ran = run("import", write_login("ann"), tmp_path / "missing", "--label", "work", "--json")
    assert [each["account"]["label"] for each in ran.json["results"]] == ["work"]


def test_one_account_in_two_files_has_the_newer_tokens(run: Run, write_login: WriteLogin, store: Store) -> None:
    """Whatever their order."""
    for turns in ((1, 2), (2, 1)):
        run("import", *(write_login("ann", turn=turn) for turn in turns))
        (account,) = store.accounts()
        stored = store.credentials(account.key)
        assert stored is not None
        assert stored.refresh == "refresh-secret-ann-2"


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_and_import_again(run: Run, write_login: WriteLogin, tmp_path: Path) -> None:
    """The file is the client's own format; stderr says that the login has two owners now."""
    run("import", write_login("ann"))
    out = tmp_path / "out.json"
    ran = run("export", "ann", "--out", out)
    assert (ran.code, ran.out) == (0, f"The login of ann was written to {out}.\n")
    assert "two owners" in ran.err
    assert read_auth_file(out) == read_auth_file(write_login("ann"))
    again = run("export", "ann", "--out", out, "--json")
    assert again.code == again.json["exit_code"] == 2
    assert "--force" in again.json["error"]
    assert run("export", "ann", "--out", out, "--force", "--json").json["exported"] == "ann"


def test_exports_that_cannot_be(run: Run, fill: Fill, home: Path, tmp_path: Path) -> None:
    """No such account; a login the client would refuse; a place where nothing can be; the pool itself."""
    fill("ann")
    out = tmp_path / "out.json"
    assert run("export", "bob", "--out", out).code == 2
    refused = run("export", "ann", "--out", out)
    assert refused.code == 1
    assert "codex-rotate verify ann" in refused.err
    ours = run("export", "ann", "--out", home / "pool.db", "--force")
    assert ours.code == 2
    assert "belongs to the pool" in ours.err
    assert not out.exists()


def test_no_token_is_shown(run: Run, write: Callable[..., Path], write_login: WriteLogin, tmp_path: Path) -> None:
    """Neither for people nor for programs, on neither stream, whether it works or not."""
    token = access("ann", 2000)
    good = write(entry("ann", accessToken=token), entry("bob"), name="good.json")
    bad = write(entry("ann", accessToken=token), entry("bob", email=5), name="bad.json")
    out = tmp_path / "out" / "auth.json"
    out.parent.mkdir()
    shown = ""
    for words in (("import", good), ("import", bad), ("import", write_login("cy")), ("import", tmp_path)):
        for as_json in ((), ("--json",)):
            ran = run(*words, *as_json)
            shown += ran.out + ran.err
    for name in ("ann", "bob", "cy"):
        for options in ((), ("--json",), ("--force",), ("--force", "--json")):
            ran = run("export", name, "--out", out, *options)
            shown += ran.out + ran.err
    assert len(shown) > 1000
    secrets = [token, "refresh-secret", read_auth_file(write_login("cy")).credentials.access]
    assert not [secret for secret in secrets if secret in shown]
    if os.name == "posix":
        assert out.stat().st_mode & 0o077 == 0
