"""A made-up login is a key as well: made with it, ended with it, and written where only its owner can read it."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.errors import UnknownPerson, UsageError, VirtualLoginFile
from accounts.logins.auth_file import read_auth_file
from accounts.model import fingerprint
from accounts.people.people import Person
from accounts.people.virtual_login import key_in
from accounts.store.store import Store
from cli.login.made_up import make_login
from cli.running.local_key import NOW_CLOSED
from tests.builders import DAY, NOW


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "pool.db") as store:
        store.people.put(Person(name="ann", added_at=NOW)).result()
        yield store


def test_the_pool_keeps_what_its_key_is_recognised_by(store: Store, tmp_path: Path) -> None:
    made = make_login(store, tmp_path / "client.key", "ann", NOW, (NOW + DAY, None))
    assert isinstance(made.data, dict)
    token = made.data["login"]["tokens"]["access_token"]
    (key,) = [each for each in store.people.client_keys() if each.person]
    assert (key.name, key.person, key.expires_at) == ("ann-login", "ann", NOW + DAY)
    assert key.digest == fingerprint(key_in(f"Bearer {token}"))
    assert NOW_CLOSED in made.notes


def test_a_file_is_its_owners_only_and_is_no_account(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    make_login(store, tmp_path / "client.key", "ANN", NOW, (None, file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(VirtualLoginFile, match="it is for somebody's client"):
        read_auth_file(file)
    assert json.loads(file.read_text())["auth_mode"] == "chatgpt"


def test_a_file_that_is_there_is_left_alone_and_no_key_is_made(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text("mine")
    with pytest.raises(UsageError, match="no login was made"):
        make_login(store, tmp_path / "client.key", "ann", NOW, (None, file))
    assert file.read_text() == "mine"
    assert store.people.client_keys() == ()


def test_nobody_gets_one_whom_the_pool_does_not_know(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownPerson, match="ann"):
        make_login(store, tmp_path / "client.key", "anne", NOW, (None, None))
    assert store.people.client_keys() == ()
