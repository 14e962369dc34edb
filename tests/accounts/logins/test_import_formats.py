"""Logins come in whole from every known format, once each, and a malformed file costs nothing and shows nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.choice.pool import Lease
from accounts.errors import BadAuthFile
from accounts.logins.auth_file import LARGEST as LARGEST_LOGIN
from accounts.logins.auth_file import Login
from accounts.logins.import_formats import LARGEST, deduplicated, read_logins, same_seat
from accounts.model import Credentials, Standing
from tests.builders import NOW, account, credentials, token

type Write = Callable[..., Path]


def auth_of(name: str, workspace: str | None = None) -> dict[str, str]:
    return {"chatgpt_account_id": workspace or f"acct-{name}", "chatgpt_user_id": f"user-{name}"}


def tokens(name: str, **changes: Any) -> dict[str, Any]:
    """The tokens of an auth.json; with `x=None` one is left out."""
    access = token(auth_of(name), exp=2000, email=f"{name}@example.com")
    values = {"access_token": access, "refresh_token": f"refresh-of-{name}-nobody-may-see"} | changes
    return {key: value for key, value in values.items() if value is not None}


def of_client(name: str, **changes: Any) -> dict[str, Any]:
    return {"accountId": f"acct-{name}", "email": f"{name}@example.com", "auth": {"tokens": tokens(name)}} | changes


def of_multi_auth(name: str, **changes: Any) -> dict[str, Any]:
    refresh = f"refresh-of-{name}-nobody-may-see"
    return {"accountId": f"acct-{name}", "email": f"{name}@example.com", "refreshToken": refresh} | changes


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: object, name: str = "any name.txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return to_file


def names(logins: tuple[Login, ...]) -> list[str]:
    return [login.account.key for login in logins]


# --- formats ---------------------------------------------------------------------------------------------------------


def test_an_auth_json(write: Write) -> None:
    """It is known by its content, whatever it is called."""
    read = read_logins(write({"tokens": tokens("a"), "accounts": "of something else"}))
    assert (names(read.logins), read.single, read.problems) == (["acct-a:user-a"], True, ())


def test_accounts_json_of_the_client(write: Write) -> None:
    """Every account, with what the file says where the tokens say nothing. Times are in milliseconds."""
    opaque = {"access_token": "opaque-access", "refresh_token": "rt-b", "expires_at": 1_709_500_000_000}
    b = of_client("b", auth={"tokens": opaque}, active=True, isActive=True)
    read = read_logins(write({"accounts": [of_client("a"), b], "activeAccountId": "acct-b", "new": {}}))
    assert names(read.logins) == ["acct-a:user-a", "acct-b:b@example.com"]
    assert [login.credentials.expires_at for login in read.logins] == [2000.0, 1_709_500_000.0]
    assert not read.single


def test_the_accounts_of_multi_auth(write: Write) -> None:
    """Fields nobody here knows do no harm; a paused account stays paused; labels are taken over."""
    full = of_multi_auth("a", accessToken="opaque", expiresAt=5000, accountLabel=" Work ", enabled=False, workspaces=[])
    content = {"version": 3, "accounts": [full, of_multi_auth("b")], "activeIndex": 1, "affinityGeneration": 4}
    a, b = read_logins(write(content)).logins
    assert (a.account.label, a.account.enabled, a.credentials.expires_at) == ("Work", False, 5.0)
    assert (b.account.label, b.account.enabled, b.account.standing) == ("b", True, Standing.GOOD)
    assert "nobody-may-see" not in repr((a, b))


def test_flagged_accounts(write: Write) -> None:
    """They come in as they are: somebody has to log them in, or `verify` finds them well."""
    flagged = of_multi_auth("a", flaggedAt=1, flaggedReason="token-invalid", lastError="401")
    (login,) = read_logins(write({"version": 1, "accounts": [flagged]})).logins
    assert login.account.standing is Standing.NEEDS_LOGIN


def test_an_account_with_nothing_but_a_refresh_token(write: Write) -> None:
    """Its access token is fetched before its first use."""
    (login,) = read_logins(write({"version": 3, "accounts": [of_multi_auth("a")]})).logins
    assert (login.credentials.access, login.credentials.expires_at) == ("", 0.0)
    lease = Lease(account=login.account, credentials=login.credentials, thread="", at=NOW)
    assert lease.wants_refresh(NOW)
    assert lease.expired(NOW)


@pytest.mark.parametrize("source", ["org", "manual"])
def test_a_workspace_that_was_chosen_by_hand(write: Write, source: str) -> None:
    """The token says what it is good for; a file that claims to know it from the token must agree with it."""
    entry = of_multi_auth("a", accessToken=tokens("a")["access_token"], accountId="org-1", accountIdSource=source)
    (login,) = read_logins(write({"accounts": [entry]})).logins
    assert login.account.account_id == "acct-a"
    (opaque,) = read_logins(write({"accounts": [entry | {"accessToken": "opaque"}]})).logins
    assert opaque.account.account_id == "org-1"
    with pytest.raises(BadAuthFile, match=r"accounts\[0\]\.accountId and the tokens name different accounts"):
        read_logins(write({"accounts": [entry | {"accountIdSource": "token"}]}))


def test_a_folder(write: Write) -> None:
    """Every *.json directly in it; what is no login is reported and does not stop the others."""
    write({"tokens": tokens("a")}, "in/a.json")
    write({"accounts": [of_multi_auth("b"), of_client("c")]}, "in/B.JSON")
    write({"tokens": {"access_token": "planted-secret-token"}}, "in/half.json")
    write(b"{", "in/broken.json")
    write(b"{", "in/notes.txt")
    folder = write({"tokens": tokens("deep")}, "in/x").parent
    (folder / "folder.json").mkdir()
    read = read_logins(folder)
    assert sorted(names(read.logins)) == ["acct-a:user-a", "acct-b:b@example.com", "acct-c:user-c"]
    assert [Path(problem.partition(": ")[0]).name for problem in read.problems] == [
        "broken.json",
        "folder.json",
        "half.json",
    ]
    assert "tokens.refresh_token is missing" in read.problems[2]
    assert "planted" not in str(read.problems)


def test_a_folder_without_a_login(write: Write) -> None:
    """Nothing to import is an error that says why."""
    folder = write(b"[]", "in/a.json").parent
    with pytest.raises(BadAuthFile, match=r"no file in this folder is a login\. .*a\.json: it is JSON, but not an obj"):
        read_logins(folder)


# --- malformed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encode",
    [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")],
    ids=["byte order mark", "CRLF"],
)
def test_what_editors_do_to_a_file(write: Write, encode: Callable[[bytes], bytes]) -> None:
    content = json.dumps({"accounts": [of_multi_auth("a"), of_client("b")]}, indent=2).encode()
    assert len(read_logins(write(encode(content))).logins) == 2


GOOD = of_multi_auth("a")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"accounts": "text"}, "accounts is not a list"),
        ({"accounts": {}}, "accounts is not a list"),
        ({"accounts": None}, "accounts is not a list"),
        ({"accounts": []}, "accounts is empty"),
        ({"accounts": [GOOD, None]}, "accounts[1] is not an object"),
        ({"accounts": [GOOD, []]}, "accounts[1] is not an object"),
        ({"accounts": [GOOD, {}]}, "accounts[1].refreshToken is missing"),
        ({"accounts": [GOOD, GOOD | {"refreshToken": 5}]}, "accounts[1].refreshToken is not a token"),
        ({"accounts": [GOOD, GOOD | {"refreshToken": "a\r\nb"}]}, "accounts[1].refreshToken is not a token"),
        ({"accounts": [GOOD, GOOD | {"accessToken": {}}]}, "accounts[1].accessToken is not a token"),
        ({"accounts": [GOOD, GOOD | {"accountId": None}]}, "accounts[1].accountId is missing"),
        ({"accounts": [GOOD, GOOD | {"accountId": 7}]}, "accounts[1].accountId is not text"),
        ({"accounts": [GOOD, GOOD | {"accountId": "a b"}]}, "accounts[1].accountId is not an account id"),
        ({"accounts": [GOOD, GOOD | {"email": []}]}, ""),
        ({"accounts": [GOOD, GOOD | {"email": 5}]}, "accounts[1].email is not text"),
        ({"accounts": [GOOD, GOOD | {"email": "\x1b[31m"}]}, "accounts[1].email is not text"),
        ({"accounts": [GOOD, GOOD | {"accessToken": "x", "expiresAt": "soon"}]}, "accounts[1].expiresAt is not a numb"),
        ({"accounts": [GOOD, GOOD | {"expiresAt": True}]}, "accounts[1].expiresAt is not a number"),
        ({"accounts": [of_client("a", auth=None)]}, "accounts[0].auth.tokens is not an object"),
        ({"accounts": [of_client("a", auth={"tokens": []})]}, "accounts[0].auth.tokens is not an object"),
        ({"accounts": [of_client("a", auth={"tokens": {}})]}, "accounts[0].auth.tokens.refresh_token is missing"),
        (json.dumps({"accounts": [GOOD, GOOD]}).encode()[:-30], "not JSON"),
        (b"", "not JSON"),
        ([GOOD], "not an object"),
    ],
)
def test_malformed(write: Write, content: object, said: str) -> None:
    """File, index and field are named, nothing of the file is taken, and no token is shown."""
    path = write(content)
    if not said:
        assert read_logins(path).logins
        return
    with pytest.raises(BadAuthFile) as caught:
        read_logins(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "nobody-may-see" not in str(caught.value)


def test_a_huge_file(tmp_path: Path) -> None:
    """50 MB are not read to their end."""
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(BadAuthFile, match="larger than 16 MiB"):
        read_logins(path)
    assert LARGEST > LARGEST_LOGIN


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"accounts":' + b"[" * 100_000, b'{"a":' + b"9" * 10_000 + b"}"])
def test_json_that_is_meant_to_hurt(write: Write, content: bytes) -> None:
    with pytest.raises(BadAuthFile, match="not JSON"):
        read_logins(write(content))


FIELDS = (
    *("accounts", "auth", "tokens", "access_token", "refresh_token", "id_token", "account_id", "last_refresh"),
    *("accountId", "refreshToken", "accessToken", "expiresAt", "expires_at", "email", "accountLabel", "enabled"),
    *("flaggedAt", "flaggedReason", "accountIdSource"),
)
KEYS = st.sampled_from(FIELDS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a.b.c")
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner),
    max_leaves=12,
)
ENTRIES = st.lists(ANYTHING | st.dictionaries(KEYS, ANYTHING).map(lambda wild: GOOD | wild), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING | st.fixed_dictionaries({"accounts": ENTRIES}))
def test_any_json_is_a_login_or_a_bad_file(tmp_path: Path, value: object) -> None:
    """Nothing but BadAuthFile is ever raised, and a file that is accepted is accepted with all its accounts."""
    path = tmp_path / "wild.json"
    path.write_text(json.dumps(value))
    try:
        read = read_logins(path)
    except BadAuthFile as e:
        said = str(e)
        assert "nobody-may-see" not in said
        return
    assert isinstance(value, dict)
    assert read.problems == ()
    if not read.single:
        refreshes = {
            e["auth"]["tokens"]["refresh_token"] if "auth" in e else e["refreshToken"] for e in value["accounts"]
        }
        assert {login.credentials.refresh for login in read.logins} <= refreshes
        assert 1 <= len(read.logins) <= len(value["accounts"])
    for login in read.logins:
        assert login.account.account_id
        assert login.account.label.isprintable()
        assert login.credentials.refresh


# --- the same account twice ------------------------------------------------------------------------------------------


def login(name: str, *, expires: float | None = 1000.0, refresh: str = "", **changes: Any) -> Login:
    held = Credentials(access=f"access-{name}", refresh=refresh or f"refresh-{name}-{expires}", expires_at=expires)
    return Login(account=account(name, **changes), credentials=held)


def test_the_same_seat_keeps_its_newest_tokens() -> None:
    """In the place where it was first."""
    old, other, new = login("a", expires=1.0), login("b"), login("a", expires=2.0)
    assert deduplicated([old, other, new]) == (new, other)
    assert deduplicated([new, other, old]) == (new, other)


def test_the_same_refresh_token_is_the_same_login() -> None:
    """The one that says who it is gives the name."""
    unnamed = login("x", refresh="rt", account_id="acct-a", user_id="acct-a", expires=2000.0)
    named = login("a", refresh="rt")
    (one,) = deduplicated([unnamed, named])
    assert one.account.key == named.account.key
    assert one.credentials == unnamed.credentials


def test_the_same_email_in_the_same_workspace() -> None:
    """Upper case and space do not matter. In another workspace it is another seat, and so is another known user."""
    named = login("a", email="Ann@Example.com ")
    unnamed = login("x", account_id="acct-a", user_id="ann@example.com", email="ann@example.com")
    elsewhere = login("y", account_id="acct-y", user_id="ann@example.com", email="ann@example.com")
    assert [each.account.key for each in deduplicated([unnamed, named, elsewhere])] == [
        named.account.key,
        elsewhere.account.key,
    ]
    assert same_seat(named.account, unnamed.account)
    assert not same_seat(unnamed.account, elsewhere.account)
    assert not same_seat(named.account, account("z", account_id="acct-a", email="ann@example.com"))


def test_a_flagged_copy_does_not_flag_the_good_one() -> None:
    good = login("a", expires=1.0)
    flagged = login("a", expires=2.0, standing=Standing.NEEDS_LOGIN)
    assert deduplicated([good, flagged]) == deduplicated([flagged, good]) == (good,)


def test_chains_are_followed() -> None:
    """First and last have nothing in common but what lies between."""
    first = login("a", refresh="rt-1", expires=1.0)
    last = login("c", refresh="rt-2", expires=2.0)
    between = login("c", refresh="rt-1", expires=3.0)
    assert len(deduplicated([first, last, between])) == 1


def test_duplicates_in_a_file(write: Write) -> None:
    twice = {"accounts": [of_multi_auth("a"), of_client("a"), of_multi_auth("a", enabled=False)]}
    (only,) = read_logins(write(twice)).logins
    assert only.account.key == "acct-a:user-a"
    assert only.credentials.access
    assert credentials("a").refresh == only.credentials.refresh


def test_a_personal_access_token_among_the_client_s_accounts_is_told_as_that(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    auth = {"auth_mode": "personalAccessToken", "personal_access_token": "at-SECRET"}
    path.write_text(json.dumps({"accounts": [{"auth": auth}]}))
    with pytest.raises(BadAuthFile, match=r"accounts\[0\] is a personal access token.*codex-rotate login") as told:
        read_logins(path)
    assert "SECRET" not in str(told.value)
