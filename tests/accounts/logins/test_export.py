"""An exported login is one the client reads, private, whole, and never in place of something nobody gave up."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import CannotExport, FileThere
from accounts.logins.auth_file import read_auth_file
from accounts.logins.export import auth_document, write_login
from accounts.model import Credentials
from tests.builders import account, credentials, token


def held(**changes: Any) -> Credentials:
    access = token({"chatgpt_account_id": "acct-a", "chatgpt_user_id": "user-a"}, exp=2000)
    return Credentials(**{"access": access, "refresh": "rt", "expires_at": 2000.0, "refreshed_at": 1000.5} | changes)


def test_what_is_exported_can_be_imported(tmp_path: Path) -> None:
    """Tokens, account id and the time of the last refresh survive the way there and back."""
    path = tmp_path / "auth.json"
    write_login(path, auth_document(account("a"), held()))
    read = read_auth_file(path)
    assert (read.account.key, read.credentials.refreshed_at) == (account("a").key, 1000.5)
    assert (read.credentials.access, read.credentials.refresh) == (held().access, "rt")
    assert list(tmp_path.iterdir()) == [path]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_clients_fields() -> None:
    """The client wants an id token that is a JWT: the access token's claims do where none is stored."""
    document = auth_document(account("a"), held(refreshed_at=0.0))
    assert (document["auth_mode"], document["OPENAI_API_KEY"], document["last_refresh"]) == ("chatgpt", None, None)
    assert document["tokens"]["id_token"] == held().access
    assert auth_document(account("a"), held(id_token=token(email="a@b.c")))["tokens"]["id_token"] == token(
        email="a@b.c"
    )


@pytest.mark.parametrize("tokens", [held(access=""), credentials("a")], ids=["none", "opaque"])
def test_tokens_that_the_client_would_refuse(tokens: Credentials) -> None:
    with pytest.raises(CannotExport, match="codex-rotate verify a") as caught:
        auth_document(account("a"), tokens)
    assert "nobody-may-see" not in str(caught.value)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Without force nothing is replaced, not even a dead link; with force it is, as a whole."""
    path = tmp_path / "auth.json"
    path.write_text("mine")
    with pytest.raises(FileThere, match="--force"):
        write_login(path, {"new": 1})
    assert path.read_text() == "mine"
    write_login(path, {"new": 1}, force=True)
    assert json.loads(path.read_text()) == {"new": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """What a link points to is not written to."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("mine")
    link.symlink_to(target)
    with pytest.raises(FileThere):
        write_login(link, {})
    write_login(link, {}, force=True)
    assert target.read_text() == "mine"
    assert not link.is_symlink()


@pytest.mark.parametrize("where", ["missing/auth.json", "folder", "nul\0name"])
def test_places_that_cannot_be_written(tmp_path: Path, where: str) -> None:
    """One sentence with the reason, and nothing left behind."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotExport, match="--out"):
        write_login(tmp_path / where, {}, force=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
