"""A token that is stored is in no line of the history, whoever stored it and when."""

from dataclasses import replace
from pathlib import Path

import pytest

from accounts.model import Event
from accounts.store.store import Store
from tests.builders import NOW, account, credentials


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pool.db"


def recorded(store: Store, text: str) -> str:
    store.record(Event(at=NOW, kind="note", detail=text)).result()
    return store.events(1)[0].detail


def test_each_token_is_shortened_wherever_it_stands(path: Path) -> None:
    tokens = replace(credentials("a"), id_token="id-of-the-owner")
    with Store(path) as store:
        store.put_account(account("a"), tokens).result()
        said = recorded(store, f'{{"detail": "Bearer={tokens.access};x{tokens.refresh}y, {tokens.id_token}"}}')
    assert not [token for token in (tokens.access, tokens.refresh, tokens.id_token) if token in said]
    assert said.startswith('{"detail": "Bearer=')


def test_other_text_stays(path: Path) -> None:
    text = f"thread 0199a401-5be0-7c33-a1f4-77d2e0b95c18 {'x' * 500}"
    with Store(path) as store:
        assert recorded(store, text) == text
        store.put_account(account("a"), credentials("a")).result()
        assert recorded(store, text) == text


def test_a_token_that_was_renewed_since_is_known(path: Path) -> None:
    old, new = credentials("a"), credentials("b")
    with Store(path) as store:
        store.put_account(account("a"), old).result()
        assert old.access not in recorded(store, old.access)
        assert store.save_credentials(account("a").key, new, replaces=old.refresh).result()
        assert new.access not in recorded(store, f"now {new.access}")


def test_a_token_that_somebody_else_has_stored_is_known(path: Path) -> None:
    tokens = credentials("a")
    with Store(path) as store, Store(path) as other:
        recorded(store, "before")
        other.put_account(account("a"), tokens).result()
        assert tokens.access not in recorded(store, f"now {tokens.access}")


def test_a_short_token_makes_every_text_suspicious(path: Path) -> None:
    with Store(path) as store:
        store.put_account(account("a"), replace(credentials("a"), access="abc")).result()
        assert "abc" not in recorded(store, "xabcx")
