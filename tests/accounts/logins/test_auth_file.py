"""A login file is read in every shape the client and editors leave it in, and refused without showing a token."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import BadAuthFile
from accounts.logins.auth_file import LARGEST, read_auth_file
from accounts.model import Account

type MakeToken = Callable[..., str]
type Write = Callable[..., Path]

IDENTITY = {"chatgpt_account_id": "acct-12345", "chatgpt_user_id": "user-1", "chatgpt_plan_type": "pro"}


@pytest.fixture
def login(make_token: MakeToken) -> dict[str, Any]:
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": make_token(IDENTITY, email="ann.b@example.com"),
            "access_token": make_token(IDENTITY, exp=2000),
            "refresh_token": "rt-secret-secret-secret",
            "account_id": "acct-12345",
        },
        "last_refresh": "1970-01-01T00:16:40.5Z",
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: object) -> Path:
        path = tmp_path / "auth.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return to_file


def test_a_login(login: dict[str, Any], write: Write) -> None:
    """The seat is named by both ids; the label is the e-mail's local part; times are epoch seconds."""
    read = read_auth_file(write(login))
    assert read.account == Account(
        account_id="acct-12345", user_id="user-1", label="ann.b", email="ann.b@example.com", plan="pro"
    )
    assert read.credentials.access == login["tokens"]["access_token"]
    assert read.credentials.refresh == login["tokens"]["refresh_token"]
    assert read.credentials.id_token == login["tokens"]["id_token"]
    assert (read.credentials.expires_at, read.credentials.refreshed_at) == (2000.0, 1000.5)
    assert login["tokens"]["access_token"] not in repr(read)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
    ],
    ids=["byte order mark", "CRLF", "UTF-16 from a Windows shell"],
)
def test_what_editors_and_shells_do_to_a_file(
    login: dict[str, Any], write: Write, encode: Callable[[str], bytes]
) -> None:
    """A file that a Windows program has saved is still a login."""
    path = write(encode(json.dumps(login, indent=2)))
    assert read_auth_file(path).account.account_id == "acct-12345"


@pytest.mark.parametrize("moment", [None, 5, "", "yesterday", "9999-99-99T00:00:00Z"])
def test_an_unreadable_last_refresh(login: dict[str, Any], write: Write, moment: object) -> None:
    """When it was last refreshed is good to know, not necessary."""
    assert read_auth_file(write({**login, "last_refresh": moment})).credentials.refreshed_at == 0.0


def test_only_the_classic_fields(make_token: MakeToken, login: dict[str, Any], write: Write) -> None:
    """Without account id and e-mail in the file, the access token is enough; the label is then a short account id."""
    tokens = {"access_token": login["tokens"]["access_token"], "refresh_token": "rt"}
    read = read_auth_file(write({"tokens": tokens}))
    assert read.account.label == "acct-123"
    assert read.credentials.id_token == ""


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("access_token", None, "tokens.access_token is missing"),
        ("access_token", "", "tokens.access_token is missing"),
        ("refresh_token", 5, "tokens.refresh_token is not a token"),
        ("refresh_token", "two\r\nlines", "tokens.refresh_token is not a token"),
        ("id_token", ["x"], "tokens.id_token is not a token"),
        ("account_id", "another", "name different accounts"),
        ("account_id", 5, "tokens.account_id is not text"),
    ],
)
def test_a_field_that_is_wrong(login: dict[str, Any], write: Write, field: str, value: object, said: str) -> None:
    """The message names file, field and remedy, and shows no token."""
    secrets = [t for t in login["tokens"].values() if len(t) > 12]
    login["tokens"][field] = value
    path = write(login)
    with pytest.raises(BadAuthFile) as caught:
        read_auth_file(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert said in text
    assert "codex login" in text
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize(
    "document",
    [
        {"personal_access_token": "at-SECRETSECRETSECRET"},
        {"auth_mode": "personalAccessToken", "OPENAI_API_KEY": None, "personal_access_token": {"x": 1}},
        {"tokens": {"access_token": "at-SECRETSECRETSECRET", "account_id": "acct-1"}},
        {"tokens": {"access_token": "at-SECRETSECRETSECRET", "refresh_token": "rt", "account_id": "acct-1"}},
        {"tokens": {"access_token": "x", "refresh_token": "at-SECRETSECRETSECRET", "account_id": "acct-1"}},
    ],
)
def test_a_personal_access_token_is_told_as_that(document: dict[str, Any], write: Write) -> None:
    """What it is, what the pool cannot do with it, and what to do."""
    with pytest.raises(BadAuthFile) as caught:
        read_auth_file(write(document))
    said = str(caught.value)
    assert "a personal access token. The official client works with one" in said
    assert "Nothing was imported. Run `codex-rotate login` with that account" in said
    assert "codex login" not in said
    assert "SECRET" not in said


@pytest.mark.parametrize("refresh", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_login_that_nothing_can_renew_is_told_as_that(
    login: dict[str, Any], write: Write, refresh: dict[str, Any]
) -> None:
    del login["tokens"]["refresh_token"]
    login["tokens"] |= refresh
    with pytest.raises(
        BadAuthFile, match=r"refresh_token is missing\. There is only an access token.*codex-rotate login"
    ):
        read_auth_file(write(login))


def test_tokens_of_two_accounts(make_token: MakeToken, login: dict[str, Any], write: Write) -> None:
    """A file patched together from two logins would be used under the wrong name."""
    login["tokens"]["id_token"] = make_token({**IDENTITY, "chatgpt_account_id": "another"})
    with pytest.raises(BadAuthFile, match="different accounts"):
        read_auth_file(write(login))


def test_a_login_of_no_workspace(login: dict[str, Any], write: Write) -> None:
    """Without an account id there is nothing to send requests for."""
    login["tokens"] |= {"access_token": "opaque", "account_id": None, "id_token": ""}
    with pytest.raises(BadAuthFile, match=r"tokens\.account_id is missing"):
        read_auth_file(write(login))


def test_a_login_that_does_not_name_its_user(make_token: MakeToken, login: dict[str, Any], write: Write) -> None:
    """It is told apart by its e-mail, and without one by its workspace."""
    login["tokens"] |= {"access_token": "opaque", "id_token": make_token({}, email="Ann@Example.com")}
    assert read_auth_file(write(login)).account.user_id == "ann@example.com"
    login["tokens"] |= {"id_token": ""}
    assert read_auth_file(write(login)).account.user_id == "acct-12345"


def test_an_account_id_that_fits_no_header(make_token: MakeToken, write: Write) -> None:
    """The account id is sent as a header, so it must be one word."""
    access = make_token({**IDENTITY, "chatgpt_account_id": "acct 1"})
    with pytest.raises(BadAuthFile, match="not an account id"):
        read_auth_file(write({"tokens": {"access_token": access, "refresh_token": "rt"}}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xff\xff", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "not an object"),
        (b" " * (LARGEST + 1), "larger than 1 MiB"),
        ({}, "no ChatGPT login"),
        ({"tokens": None, "OPENAI_API_KEY": "sk-secret"}, "only an API key"),
        ({"tokens": "text"}, "no ChatGPT login"),
    ],
    ids=["empty", "half", "binary", "nested", "list", "huge", "nothing", "API key", "text"],
)
def test_what_is_not_a_login(write: Write, content: object, said: str) -> None:
    """Each kind of wrong file is told apart, and no key is shown."""
    with pytest.raises(BadAuthFile, match=said) as caught:
        read_auth_file(write(content))
    assert "sk-secret" not in str(caught.value)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, and a pipe that nobody writes to end in a sentence, not in waiting."""
    paths = [tmp_path / "missing", tmp_path, Path("nul\0name")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        paths.append(tmp_path / "pipe")
    for path in paths:
        with pytest.raises(BadAuthFile, match=r"cannot be read|not a file"):
            read_auth_file(path)
