"""The client's files are understood or refused as a whole, and written as a whole or not at all."""

import errno
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from accounts.codex_files import client_files
from accounts.codex_files.client_files import (
    Places,
    Writer,
    accounts_with,
    auth_with,
    locked,
    read_client,
    read_file,
    read_one,
    refresh_tokens,
    with_renewed,
)
from accounts.codex_files.reconcile import ClientState
from accounts.errors import BadClientFile, ClientFileBusy, ClientFileChanged, ClientFileUnwritable
from accounts.logins.export import rfc3339
from accounts.model import Credentials
from tests.builders import NOW, account, token

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links are a POSIX matter")


def tokens_of(name: str, **changes: Any) -> dict[str, Any]:
    claims = {"chatgpt_account_id": f"acct-{name}", "chatgpt_user_id": f"user-{name}"}
    access = token(claims, exp=2000, email=f"{name}@example.com")
    return {"access_token": access, "id_token": access, "refresh_token": f"refresh-secret-{name}"} | changes


def entry(name: str, **changes: Any) -> dict[str, Any]:
    return {"accountId": f"acct-{name}", "email": f"{name}@example.com", "auth": {"tokens": tokens_of(name)}} | changes


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(accounts=tmp_path / "accounts.json", auth=tmp_path / "auth.json")


def put(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))


def read(places: Places) -> ClientState | None:
    return read_client(read_file(places.accounts), read_file(places.auth))


# --- reading ---------------------------------------------------------------------------------------------------------


def test_nothing_there(places: Places) -> None:
    """No file is no error."""
    assert read(places) is None
    assert read_one(places.auth) is None


def test_where_the_files_are(tmp_path: Path) -> None:
    """The client's home, or two variables."""
    assert client_files.places({"CODEX_HOME": str(tmp_path)}).accounts == tmp_path / "accounts.json"
    assert client_files.places({"CODEX_CLI_AUTH_PATH": "/x/y"}).auth == Path("/x/y")


def test_the_single_login(places: Places) -> None:
    """The login of auth.json is the active one; the file's time is when it was chosen."""
    put(places.auth, {"tokens": tokens_of("a"), "last_refresh": "1970-01-01T00:00:05Z"})
    os.utime(places.auth, ns=(0, 7_000_000_000))
    state = read(places)
    assert state is not None
    (held,) = state.held
    assert (held.login.account.key, held.active, held.known_only) == (account("a").key, True, False)
    assert held.login.credentials.refreshed_at == 5.0
    assert (state.selected_ms, state.exact) == (7000, False)


def test_several_logins_are_preferred(places: Places) -> None:
    """accounts.json decides who there is; auth.json beside it only renews."""
    put(places.accounts, {"accounts": [entry("a"), entry("b", active=True)], "codexMultiAuthSyncVersion": 9000})
    put(places.auth, {"tokens": tokens_of("c")})
    state = read(places)
    assert state is not None
    assert [(each.login.account.key, each.active, each.known_only) for each in state.held] == [
        (account("a").key, False, False),
        (account("b").key, True, False),
        (account("c").key, False, True),
    ]
    assert (state.selected_ms, state.exact) == (9000, True)


def test_an_api_key_beside_several_logins(places: Places) -> None:
    """It is no login, and none is needed."""
    put(places.accounts, {"accounts": []})
    put(places.auth, {"OPENAI_API_KEY": "sk-secret"})
    assert read(places) == ClientState(held=(), selected_ms=read_file(places.accounts).changed_ms)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "top",
    [
        {"activeAccountId": "acct-b"},
        {"active_account_id": "acct-b", "activeEmail": "B@example.com "},
        {"active_email": "b@example.com"},
    ],
)
def test_who_is_active(places: Places, top: dict[str, str]) -> None:
    """The ids on top count more than the flags."""
    put(places.accounts, {"accounts": [entry("a", isActive=True), entry("b")], **top})
    state = read_one(places.accounts)
    assert state is not None
    assert [each.active for each in state.held] == [False, True]


def test_an_entry_that_names_less(places: Places) -> None:
    """The account id may be beside the tokens or missing, the e-mail too."""
    opaque = {"access_token": "opaque", "refresh_token": "r"}
    beside = {"account_id": "acct-z", "email": "Z@example.com", "auth": {"tokens": opaque}}
    put(places.accounts, {"accounts": [beside, {"auth": {"tokens": opaque}}]})
    state = read(places)
    assert state is not None
    first, second = (each.login.account for each in state.held)
    assert (first.account_id, first.user_id) == ("acct-z", "z@example.com")
    assert (second.account_id, second.user_id) == ("", "")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "accounts is missing"),
        ({"accounts": {}}, "accounts is not a list"),
        ({"accounts": [5]}, r"accounts\[0\] is not an object"),
        ({"accounts": [entry("a"), {}]}, r"accounts\[1\]\.auth\.tokens is not an object"),
        ({"accounts": [entry("a", email=5)]}, r"accounts\[0\]\.email is not text"),
        (
            {"accounts": [{"auth": {"tokens": tokens_of("a", refresh_token=None)}}]},
            r"accounts\[0\]\.auth\.tokens\.refresh_token is missing",
        ),
        ({"accounts": [], "codexMultiAuthSyncVersion": "soon"}, "codexMultiAuthSyncVersion is not a time"),
        ({"accounts": [], "codexMultiAuthSyncVersion": float("inf")}, "codexMultiAuthSyncVersion is not a time"),
    ],
)
def test_a_field_that_is_wrong(places: Places, document: object, said: str) -> None:
    """Named with its file, without a token."""
    put(places.accounts, document)
    with pytest.raises(BadClientFile, match=said) as caught:
        read(places)
    assert str(caught.value).startswith(f"{places.accounts}: ")
    assert "Nothing was changed" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("refresh-secret", tokens_of("a")["access_token"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "not JSON"), (b" " * 2_000_000, "larger than 1 MiB"), (b"{}", "no ChatGPT login")],
)
def test_a_file_that_is_wrong(places: Places, content: bytes, said: str) -> None:
    """Half files, huge files, others."""
    places.auth.write_bytes(content)
    with pytest.raises(BadClientFile, match=said):
        read(places)


def test_fifty_megabytes(places: Places) -> None:
    """Only what a login can be is ever read."""
    with places.accounts.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(BadClientFile, match="larger than"):
        read(places)


def test_what_is_no_file(places: Places) -> None:
    """A folder in its place is a sentence."""
    places.auth.mkdir()
    with pytest.raises(BadClientFile, match="not a file"):
        read(places)


@pytest.mark.parametrize("encode", [lambda t: b"\xef\xbb\xbf" + t.encode(), lambda t: t.replace("\n", "\r\n").encode()])
def test_what_editors_do(places: Places, encode: Callable[[str], bytes]) -> None:
    """A byte order mark and CRLF are read."""
    places.accounts.write_bytes(encode(json.dumps({"accounts": [entry("a")]}, indent=1)))
    state = read(places)
    assert state is not None
    assert len(state.held) == 1


# --- what is written -------------------------------------------------------------------------------------------------

LOGIN = {
    "auth_mode": "chatgpt",
    "OPENAI_API_KEY": None,
    "tokens": tokens_of("a", account_id="acct-a"),
    "last_refresh": "x",
}


def test_unknown_fields_stay() -> None:
    """Only what is about the login changes; an owner of another login goes with it."""
    theirs = {"account_id": "acct-b", "login_owner_id": "o", "oauth_provenance": {"issuer": "i"}}
    before = {"tokens": theirs, "odd": [1], "OPENAI_API_KEY": "sk", "auth_mode": "apikey"}
    document = auth_with(before, LOGIN, account("a", email="a@example.com"), now=1.5)
    assert document == {
        **LOGIN,
        "tokens": {**LOGIN["tokens"], "oauth_provenance": {"issuer": "i"}},  # type: ignore[dict-item]
        "odd": [1],
        "OPENAI_API_KEY": "sk",
        "email": "a@example.com",
        "codexMultiAuthSyncVersion": 1500,
    }
    same = auth_with({"tokens": {"account_id": "acct-a", "login_owner_id": "o"}}, LOGIN, account("a"), now=1.5)
    assert same["tokens"]["login_owner_id"] == "o"


def test_flags_of_the_active_one() -> None:
    """One entry has all three flags, the others have none, tokens stay."""
    before = {"accounts": [entry("a", active=True, odd=1), entry("b")], "odd": 2}
    document = accounts_with(before, frozenset({1}), account("b", email="b@example.com"), now=2.0)
    flags = [[each[name] for name in ("active", "isActive", "is_active")] for each in document["accounts"]]
    assert flags == [[False] * 3, [True] * 3]
    assert [each["auth"] for each in document["accounts"]] == [each["auth"] for each in before["accounts"]]  # type: ignore[attr-defined]
    assert (document["odd"], document["accounts"][0]["odd"], document["codexMultiAuthSyncVersion"]) == (2, 1, 2000)
    assert document["activeAccountId"] == document["active_account_id"] == "acct-b"
    assert document["activeEmail"] == document["active_email"] == "b@example.com"


# --- writing ---------------------------------------------------------------------------------------------------------


class Disk:
    """A rename that fails `times` times, and the pauses between."""

    def __init__(self, times: int, number: int = errno.EBUSY) -> None:
        self.times, self.number = times, number
        self.pauses: list[float] = []

    def rename(self, old: Path, new: Path) -> None:
        if self.times:
            self.times -= 1
            raise OSError(self.number, "in the way")
        old.replace(new)

    @property
    def writer(self) -> Writer:
        return Writer(pause=self.pauses.append, rename=self.rename)


def write(places: Places, disk: Disk) -> None:
    disk.writer.write(places.auth, read_file(places.auth), {"new": 1})


@posix
def test_a_written_file_is_private(places: Places) -> None:
    """0600 even where the old one was open, and nothing is left beside it."""
    put(places.auth, {"old": 1})
    places.auth.chmod(0o644)
    write(places, Disk(0))
    assert json.loads(places.auth.read_text()) == {"new": 1}
    assert stat.S_IMODE(places.auth.stat().st_mode) == 0o600
    assert list(places.auth.parent.iterdir()) == [places.auth]


@posix
@pytest.mark.parametrize("whole_folder", [False, True])
def test_where_every_user_may_write_no_login_goes(places: Places, whole_folder: bool) -> None:
    put(places.auth, {"tokens": tokens_of("one")})
    (places.auth.parent if whole_folder else places.auth).chmod(0o777)
    before = places.auth.read_bytes()
    with pytest.raises(ClientFileUnwritable, match="every user"):
        write(places, Disk(0))
    assert places.auth.read_bytes() == before


@posix
def test_a_link_stays_a_link(places: Places, tmp_path: Path) -> None:
    """Whoever keeps the login elsewhere finds it there."""
    put(tmp_path / "elsewhere.json", {"old": 1})
    places.auth.symlink_to(tmp_path / "elsewhere.json")
    write(places, Disk(0))
    assert places.auth.is_symlink()
    assert json.loads((tmp_path / "elsewhere.json").read_text()) == {"new": 1}


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM])
def test_a_rename_is_tried_again(places: Places, number: int) -> None:
    """Five times in all, waiting twice as long each time."""
    disk = Disk(4, number)
    write(places, disk)
    assert json.loads(places.auth.read_text()) == {"new": 1}
    assert disk.pauses == [0.01, 0.02, 0.04, 0.08]


@pytest.mark.parametrize(("disk", "pauses"), [(Disk(5), 4), (Disk(1, errno.ENOSPC), 0)])
def test_a_rename_that_never_works(places: Places, disk: Disk, pauses: int) -> None:
    """The old file is whole, and nothing is left beside it."""
    put(places.auth, {"old": 1})
    with pytest.raises(ClientFileUnwritable, match="in the way"):
        write(places, disk)
    assert len(disk.pauses) == pauses
    assert json.loads(places.auth.read_text()) == {"old": 1}
    assert list(places.auth.parent.iterdir()) == [places.auth]


def test_a_file_that_changed_meanwhile(places: Places) -> None:
    """Whether it was rewritten, appeared or went: it is not overwritten."""
    before = read_file(places.auth)
    for step in ('{"theirs": 1}', '{"theirs": 2}', None):
        if step is None:
            places.auth.unlink()
        else:
            places.auth.write_text(step)
        with pytest.raises(ClientFileChanged):
            Disk(0).writer.write(places.auth, before, {"new": 1})
        assert (places.auth.read_text() if step else None) == step
        before = read_file(places.auth)


def test_a_change_between_two_tries(places: Places) -> None:
    """It is looked at before every rename."""
    disk = Disk(1)
    writer = Writer(pause=lambda _: places.auth.write_text("{}"), rename=disk.rename)
    with pytest.raises(ClientFileChanged):
        writer.write(places.auth, None, {"new": 1})
    assert places.auth.read_text() == "{}"


@pytest.mark.parametrize("name", ["auth.lock", "auth.json.lock", ".auth.json.codex-rotate.lock"])
def test_a_lock_that_is_held(places: Places, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's locks and ours are waited for, not long."""
    monkeypatch.setattr(client_files, "LOCK_SECONDS", 0.01)
    other = FileLock(places.auth.with_name(name))
    with other, pytest.raises(ClientFileBusy, match=name), locked(places.auth, places.accounts):
        pass
    with locked(places.auth, places.accounts):
        pass


@posix
def test_locks_are_private_and_the_clients_own_are_held(places: Places) -> None:
    """Also where the client has not made its lock files yet: it takes what is there."""
    with locked(places.auth):
        locks = {each.name: each for each in places.auth.parent.iterdir()}
        assert locks.keys() == {".auth.json.codex-rotate.lock", "auth.lock", "auth.json.lock"}
        assert {stat.S_IMODE(each.stat().st_mode) for each in locks.values()} == {0o600}
        for each in locks.values():
            with pytest.raises(Timeout):
                FileLock(each, timeout=0).acquire()


# --- a renewed login -------------------------------------------------------------------------------------------------

OLD = {"access_token": "a1", "refresh_token": "r1", "id_token": "i1", "account_id": "acct", "beside": 1}
NEWER = Credentials(access="a2", refresh="r2", id_token="i2", expires_at=1_900_000_000.5, refreshed_at=NOW)


def test_a_renewed_login_takes_the_place_of_what_it_replaced() -> None:
    """Only the tokens and the time of the refresh change."""
    document = {"auth_mode": "chatgpt", "tokens": OLD, "last_refresh": "x", "unknown": [1]}
    written = with_renewed(document, {"r1": NEWER})
    tokens = {**OLD, "access_token": "a2", "refresh_token": "r2", "id_token": "i2"}
    assert written == {**document, "tokens": tokens, "last_refresh": rfc3339(NOW)}
    assert refresh_tokens(document) == {"r1"}


def test_of_several_logins_only_the_renewed_one_changes() -> None:
    """Its expiry is in milliseconds there; an id token that the refresh did not bring stays."""
    mine = {"email": "a", "auth": {"tokens": {**OLD, "expires_at": 5}, "beside": 2}}
    document = {"accounts": [{"auth": {"tokens": {"refresh_token": "r0"}}}, mine, "odd"], "activeEmail": "a"}
    written = with_renewed(document, {"r1": replace(NEWER, id_token="")})
    assert written is not None
    tokens = {**OLD, "access_token": "a2", "refresh_token": "r2", "expires_at": 1_900_000_000_500}
    assert written["accounts"][1] == {"email": "a", "auth": {"tokens": tokens, "beside": 2}}
    assert (written["accounts"][0], written["accounts"][2]) == (document["accounts"][0], "odd")
    assert refresh_tokens(document) == {"r0", "r1"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"tokens": OLD},
        {"tokens": None},
        {"tokens": {"refresh_token": 5}},
        {"accounts": {}},
        {"accounts": [{"auth": 3}]},
    ],
)
def test_a_file_without_the_replaced_token_is_left_alone(document: dict[str, object]) -> None:
    assert with_renewed(document, {"other": NEWER}) is None
