"""The pool and the client take over what the other one renewed; what fails is tried again, and never raises."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.codex_files import codex_home
from accounts.codex_files.client_files import Places, Writer
from accounts.codex_files.codex_home import adopt
from accounts.codex_files.home_login import HomeLogin
from accounts.logins.auth_file import login_in
from accounts.model import Standing
from accounts.store.store import Store
from accounts.tokens.refresh import Refresher
from tests.accounts.codex_files.test_codex_home import WRITER, document_of, entry_of, fill, pull, push, put, turn_of
from tests.builders import NOW, key_of, token

A = key_of("a")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(accounts=tmp_path / "accounts.json", auth=tmp_path / "auth.json")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        fill(opened, "a")
        yield opened


class Provider:
    """Trades a refresh token for the next one, once; what the client does meanwhile happens in `before`."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.spent: list[str] = []
        self.client_renews_meanwhile = False

    def __call__(self, url: str, body: dict[str, str], leaving: object) -> tuple[int, bytes]:
        assert callable(leaving)
        leaving()
        refresh = body["refresh_token"]
        turn = int(refresh.rpartition("-")[2])
        if self.client_renews_meanwhile:
            put(self.places.auth, document_of("a", turn + 1))
            return 401, b'{"error": {"code": "refresh_token_reused"}}'
        assert refresh not in self.spent
        self.spent.append(refresh)
        tokens = document_of("a", turn + 1)["tokens"]
        return 200, json.dumps(tokens).encode()


def home_login(store: Store, places: Places, **environ: str) -> HomeLogin:
    return HomeLogin(store, places, Writer(pause=lambda _: None), lambda: NOW, environ)


def renew(store: Store, places: Places, provider: Provider) -> int:
    """One refresh of the account in the pool; how many refreshes its tokens then have behind them."""
    stale = store.credentials(A)
    assert stale is not None
    refresher = Refresher(store, store.path.parent / "locks", lambda: NOW, provider, home_login(store, places))
    try:
        renewal = refresher.renew_now(A, stale, "x")
    finally:
        refresher.close()
    return turn_of(renewal.credentials)


def test_a_refresh_of_ours_reaches_the_client(store: Store, places: Places) -> None:
    put(places.auth, document_of("a", 1))
    assert renew(store, places, Provider(places)) == 2
    assert json.loads(places.auth.read_text())["tokens"]["refresh_token"] == "refresh-secret-a-2"


def test_what_the_client_renewed_is_adopted_instead_of_sending_a_spent_token(store: Store, places: Places) -> None:
    provider = Provider(places)
    put(places.auth, document_of("a", 4))
    assert renew(store, places, provider) == 4
    assert provider.spent == []


def test_a_refresh_that_loses_against_the_client_adopts_what_it_won(store: Store, places: Places) -> None:
    """A refused token is no dead account: the file is read once more."""
    provider = Provider(places)
    provider.client_renews_meanwhile = True
    put(places.auth, document_of("a", 1))
    assert renew(store, places, provider) == 2
    assert turn_of(store.credentials(A)) == 2


def test_another_accounts_login_that_appears_meanwhile_changes_nothing(store: Store, places: Places) -> None:
    """The client was logged in as somebody else: its file stays, our account keeps its tokens."""
    provider = Provider(places)
    put(places.auth, document_of("z", 9))
    content = places.auth.read_bytes()
    assert renew(store, places, provider) == 2
    assert places.auth.read_bytes() == content
    assert [each.key for each in store.accounts()] == [A]


def test_a_look_takes_over_what_is_new_and_reads_a_file_once(store: Store, places: Places) -> None:
    home = home_login(store, places)
    assert home.look() == ()
    put(places.auth, document_of("a", 2))
    assert home.look() == (A,)
    attempts = store.counters()["read_attempts"]
    assert home.look() == ()
    store.flush()
    assert store.counters()["read_attempts"] == attempts


def test_the_first_look_gives_the_client_what_a_killed_proxy_could_not(store: Store, places: Places) -> None:
    old = store.credentials(A)
    assert old is not None
    put(places.auth, document_of("a", 1))
    renewed = token({"chatgpt_account_id": "acct-a"}, exp=NOW)
    store.save_credentials(A, replace(old, access=renewed, refresh="won"), replaces=old.refresh).result()
    home_login(store, places).look()
    assert json.loads(places.auth.read_text())["tokens"]["refresh_token"] == "won"


def test_a_file_that_cannot_be_written_is_tried_again(
    store: Store, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    """The renewed tokens are the pool's meanwhile; the log says which file, and holds no token."""
    renames = [OSError(28, "No space left on device")]

    def rename(source: Path, target: Path) -> None:
        if renames:
            raise renames.pop()
        source.replace(target)

    home = HomeLogin(store, places, Writer(pause=lambda _: None, rename=rename), lambda: NOW, {})
    put(places.auth, document_of("a", 1))
    home.look()
    refresher = Refresher(store, store.path.parent / "locks", lambda: NOW, Provider(places), home)
    stale = store.credentials(A)
    assert stale is not None
    with caplog.at_level(logging.DEBUG):
        assert turn_of(refresher.renew_now(A, stale, "x").credentials) == 2
    refresher.close()
    assert "No space left" in caplog.text
    assert str(places.auth) in caplog.text
    assert "refresh-secret" not in caplog.text
    home.look()
    assert json.loads(places.auth.read_text())["tokens"]["refresh_token"] == "refresh-secret-a-2"


def test_a_file_that_cannot_be_understood_is_left_alone(
    store: Store, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    places.auth.write_text('{"tokens": {"refresh_')
    assert renew(store, places, Provider(places)) == 2
    assert places.auth.read_text() == '{"tokens": {"refresh_'
    assert "it is not JSON" in caplog.text


def test_switched_off_the_files_are_neither_read_nor_written(store: Store, places: Places) -> None:
    home = home_login(store, places, CODEX_ROTATE_SYNC="0")
    put(places.auth, document_of("a", 2))
    assert home.look() == ()
    home.adopt(A)
    home.tell(A)
    store.flush()
    assert store.counters() == {}
    assert turn_of(store.credentials(A)) == 1


# --- file by file ----------------------------------------------------------------------------------------------------


def renew_in_pool(store: Store, name: str, turn: int) -> None:
    """The pool refreshes the account."""
    old = store.credentials(key_of(name))
    fresh = login_in(Path("x"), document_of(name, turn)).credentials
    assert old is not None
    assert store.save_credentials(key_of(name), replace(fresh, own=old.own), replaces=old.refresh).result()


def test_what_the_pool_renews_the_client_gets(store: Store, places: Places) -> None:
    """Also after several renewals; the rest of its file stays, and nothing is written twice."""
    fill(store, "a")
    put(places.auth, document_of("a", 1, beside="kept"))
    assert codex_home.tell(store, places, WRITER) == ()
    renew_in_pool(store, "a", 2)
    renew_in_pool(store, "a", 3)
    assert codex_home.tell(store, places, WRITER) == (places.auth,)
    written = json.loads(places.auth.read_text())
    assert (written["tokens"]["refresh_token"], written["beside"]) == ("refresh-secret-a-3", "kept")
    assert codex_home.tell(store, places, WRITER) == ()
    assert not adopt(store, places.auth, NOW)


def test_several_logins_get_theirs(store: Store, places: Places) -> None:
    fill(store, "a")
    put(places.accounts, {"accounts": [entry_of("b"), entry_of("a")]})
    renew_in_pool(store, "a", 2)
    assert codex_home.tell(store, places, WRITER) == (places.accounts,)
    entries = json.loads(places.accounts.read_text())["accounts"]
    assert [each["auth"]["tokens"]["refresh_token"][-3:] for each in entries] == ["b-1", "a-2"]


def test_a_login_that_the_pool_did_not_renew_is_never_written(store: Store, places: Places) -> None:
    """Neither a newer one of the client's nor one of another family, and no file is made."""
    fill(store, "a")
    renew_in_pool(store, "a", 2)
    assert codex_home.tell(store, places, WRITER) == ()
    assert not places.auth.exists()
    put(places.auth, document_of("a", 9))
    content = places.auth.read_bytes()
    assert codex_home.tell(store, places, WRITER) == ()
    assert places.auth.read_bytes() == content


def test_a_login_of_the_pools_own_is_not_taken_for_the_clients(store: Store, places: Places) -> None:
    """Two logins of one seat stay two, unless the pool's own is dead."""
    fill(store, "a")
    own = store.credentials(key_of("a"))
    assert own is not None
    store.put_account(store.accounts()[0], replace(own, own=True)).result()
    put(places.auth, document_of("a", 5))
    assert adopt(store, places.auth, NOW) == ()
    assert pull(store, places).kept == (key_of("a"),)
    assert turn_of(store.credentials(key_of("a"))) == 1
    store.set_standing(key_of("a"), Standing.NEEDS_LOGIN).result()
    assert adopt(store, places.auth, NOW) == (key_of("a"),)
    taken = store.credentials(key_of("a"))
    assert taken is not None
    assert not taken.own


def test_a_pushed_login_is_shared_from_then_on(store: Store, places: Places) -> None:
    seat = fill(store, "a")
    own = store.credentials(seat.key)
    assert own is not None
    store.put_account(seat, replace(own, own=True)).result()
    push(store, places, seat)
    put(places.auth, document_of("a", 2))
    assert adopt(store, places.auth, NOW) == (seat.key,)


def test_one_account_alone_can_be_adopted(store: Store, places: Places) -> None:
    fill(store, "a")
    fill(store, "b")
    put(places.auth, {"accounts": [entry_of("a", 2), entry_of("b", 2)]})
    assert adopt(store, places.auth, NOW, only=key_of("b")) == (key_of("b"),)
    assert turn_of(store.credentials(key_of("a"))) == 1
