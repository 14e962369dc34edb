"""A login comes into the pool once: a known seat is renewed in place, and never with tokens that are older."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.errors import LabelTaken
from accounts.logins.adopting import ImportOptions, adopt
from accounts.logins.auth_file import Login
from accounts.model import Standing
from accounts.store.store import Store
from tests.builders import account, credentials


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "rotate" / "pool.db") as opened:
        yield opened


def login(name: str = "ann", turn: int = 1, label: str = "") -> Login:
    """Later turns have newer tokens."""
    tokens = credentials(f"{name}-{turn}", expires_at=turn * 1000.0, refreshed_at=float(turn))
    return Login(account=account(name, label=label or name), credentials=tokens)


def test_a_new_one_is_added_with_what_was_said_of_it(store: Store) -> None:
    done = adopt(store, login(), ImportOptions(label="work", routing_override="us"), now=10.0)
    assert (done.kind, done.number, done.words) == ("imported", 1, "work was added to the pool.")
    assert store.accounts() == (done.account,)
    assert (done.account.label, done.account.routing_override, done.account.added_at) == ("work", "us", 10.0)
    store.choose_account("").result()  # behind the event, for which nobody waits
    assert [event.kind for event in store.events(9)] == ["imported"]


def test_a_label_that_is_taken_is_refused_before_anything_is_stored(store: Store) -> None:
    adopt(store, login(), ImportOptions(), now=10.0)
    with pytest.raises(LabelTaken):
        adopt(store, login("bob"), ImportOptions(label="ANN"), now=20.0)
    assert [each.label for each in store.accounts()] == ["ann"]


def test_an_older_file_does_not_cost_the_account(store: Store) -> None:
    """When the pool has refreshed since, the file's refresh token is used up: it must not replace the newer one."""
    old, new = login(turn=1), login(turn=2)
    adopt(store, new, ImportOptions(), now=10.0)
    done = adopt(store, old, ImportOptions(label="work"), now=20.0)
    assert done.kind == "kept"
    assert "newer tokens than this file has" in done.words
    assert "To call it 'work', run `codex-rotate label ann work`." in done.words
    assert store.credentials(old.account.key) == new.credentials
    assert store.accounts()[0].label == "ann"
    store.set_standing(old.account.key, Standing.NEEDS_LOGIN).result()
    assert "was renewed" in adopt(store, old, ImportOptions(), now=30.0).words
    assert store.credentials(old.account.key) == old.credentials


def test_a_login_that_was_used_up_is_never_put_back(store: Store) -> None:
    """Not even for an account that needs a login: its refresh token would be sent a second time."""
    old, new = login(turn=1), login(turn=2)
    adopt(store, old, ImportOptions(), now=10.0)
    store.save_credentials(old.account.key, new.credentials, replaces=old.credentials.refresh).result()
    store.set_standing(old.account.key, Standing.NEEDS_LOGIN).result()
    assert "was used up since" in adopt(store, old, ImportOptions(), now=20.0).words
    assert store.credentials(old.account.key) == new.credentials
    assert store.accounts()[0].standing is Standing.NEEDS_LOGIN
