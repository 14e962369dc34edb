"""The pool and the client's files in a real folder and a real database: nobody's newer tokens are ever lost."""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from accounts.codex_files import client_files, codex_home
from accounts.codex_files.client_files import Places, Writer
from accounts.codex_files.codex_home import Watch, adopt
from accounts.codex_files.reconcile import Changes
from accounts.errors import (
    BadClientFile,
    CannotExport,
    ClientFileBusy,
    ClientFileError,
    LoginNeeded,
    NoAccounts,
    NothingUsable,
    StrangerInClientFile,
    UnknownAccount,
)
from accounts.logins.auth_file import login_in
from accounts.model import Account, Cooldown, Credentials, Standing
from accounts.store.store import Store
from tests.builders import NOW, account, key_of, token

WRITER = Writer(pause=lambda _: None)


def document_of(name: str, turn: int = 1, **more: Any) -> dict[str, Any]:
    """The auth.json of the seat `name` after so many refreshes."""
    claims = {"chatgpt_account_id": f"acct-{name}", "chatgpt_user_id": f"user-{name}"}
    access = token(claims, exp=NOW + turn, email=f"{name}@example.com")
    tokens = {"access_token": access, "id_token": access, "refresh_token": f"refresh-secret-{name}-{turn}"}
    return {"tokens": tokens | {"account_id": f"acct-{name}"}, **more}


def entry_of(name: str, turn: int = 1) -> dict[str, Any]:
    return {"accountId": f"acct-{name}", "auth": {"tokens": document_of(name, turn)["tokens"]}}


def turn_of(credentials: Credentials | None) -> int:
    """How many refreshes these tokens have behind them, 0 for none."""
    return int(credentials.refresh.rpartition("-")[2]) if credentials else 0


def put(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(accounts=tmp_path / "accounts.json", auth=tmp_path / "auth.json")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        yield opened


def fill(store: Store, name: str, turn: int = 1, **fields: Any) -> Account:
    login = login_in(Path("x"), document_of(name, turn))
    seat = replace(login.account, **fields)
    store.put_account(seat, login.credentials).result()
    return next(each for each in store.accounts() if each.key == seat.key)


def pull(store: Store, places: Places) -> Changes:
    client = codex_home.read_places(store, places)[2]
    assert client is not None
    return codex_home.pull(store, client, NOW)


def push(store: Store, places: Places, seat: Account) -> Changes:
    return codex_home.push(store, places, seat, WRITER, NOW)


def counted(store: Store) -> dict[str, int]:
    store.flush()
    return store.counters()


# --- from the client -------------------------------------------------------------------------------------------------


def test_pull_adds_and_renews(store: Store, places: Places) -> None:
    """New accounts appear, newer tokens are taken over, the pool's own newer ones stay."""
    fill(store, "a", 1)
    fill(store, "b", 5)
    put(places.accounts, {"accounts": [entry_of("a", 2), entry_of("b", 4), entry_of("c")]})
    changes = pull(store, places)
    assert [each.account.key for each in changes.adds] == [key_of("c")]
    assert [each.account.key for each in changes.renewals] == [key_of("a")]
    assert changes.kept == (key_of("b"),)
    assert [turn_of(store.credentials(key_of(name))) for name in "abc"] == [2, 5, 1]
    assert not pull(store, places)
    assert counted(store) == {
        "read_attempts": 2, "read_successes": 2, "reconcile_attempts": 2, "reconcile_changes": 1, "reconcile_noops": 1,
    }  # fmt: skip


def test_pull_takes_all_or_nothing(store: Store, places: Places) -> None:
    """A login of nobody stops it before anything is changed."""
    nobody = {"auth": {"tokens": {"access_token": "opaque", "refresh_token": "r"}}}
    put(places.accounts, {"accounts": [entry_of("a"), nobody]})
    with pytest.raises(BadClientFile, match=r"accounts\[1\]\.auth\.tokens\.account_id is missing"):
        pull(store, places)
    assert store.accounts() == ()
    assert counted(store)["reconcile_failures"] == 1


def test_failed_and_missed_reads_are_counted(store: Store, places: Places) -> None:
    """Both leave the pool as it is."""
    assert codex_home.read_places(store, places)[2] is None
    places.auth.write_text("{")
    with pytest.raises(BadClientFile):
        codex_home.read_places(store, places)
    assert counted(store) == {"read_attempts": 2, "read_misses": 1, "read_failures": 1}


def test_a_dead_account_lives_again(store: Store, places: Places) -> None:
    """Tokens that the client got later put the standing back to good; a closed account stays closed."""
    fill(store, "a", standing=Standing.NEEDS_LOGIN)
    fill(store, "b", standing=Standing.DEACTIVATED)
    put(places.accounts, {"accounts": [entry_of("a", 2), entry_of("b", 2)]})
    pull(store, places)
    assert [each.standing for each in store.accounts()] == [Standing.GOOD, Standing.DEACTIVATED]


def test_adopt(store: Store, places: Places) -> None:
    """Only accounts of the pool, only newer tokens; a second time there is nothing to do."""
    fill(store, "a")
    put(places.auth, document_of("a", 2))
    assert adopt(store, places.auth, NOW) == (key_of("a"),)
    assert adopt(store, places.auth, NOW) == ()
    put(places.auth, document_of("stranger"))
    assert adopt(store, places.auth, NOW) == ()
    assert turn_of(store.credentials(key_of("a"))) == 2
    assert [each.key for each in store.accounts()] == [key_of("a")]
    assert store.events(9)[0].kind == "renewed"


def test_adopt_of_several_and_of_none(store: Store, places: Places) -> None:
    """accounts.json is understood too, and no file is nothing to adopt."""
    assert adopt(store, places.auth, NOW) == ()
    fill(store, "a")
    put(places.accounts, {"accounts": [entry_of("a", 2)]})
    assert adopt(store, places.accounts, NOW) == (key_of("a"),)


def test_a_watch(places: Places) -> None:
    """It tells whether a file looks different from when it was read."""
    assert not Watch().changed(None)
    put(places.auth, {})
    watch = Watch.of(places.auth.stat())
    assert Watch().changed(places.auth.stat())
    assert not watch.changed(places.auth.stat())
    assert watch.changed(None)
    os.utime(places.auth, ns=(0, 1))
    assert watch.changed(places.auth.stat())


# --- to the client ---------------------------------------------------------------------------------------------------


def test_push(store: Store, places: Places) -> None:
    """The client reads the account as its own; accounts.json says who is active; the pool remembers when."""
    seat, _ = fill(store, "a"), fill(store, "b")
    put(places.accounts, {"accounts": [entry_of("b"), entry_of("a")], "odd": 1})
    put(places.auth, document_of("b", odd=2))
    push(store, places, seat)
    auth, accounts = (json.loads(path.read_text()) for path in (places.auth, places.accounts))
    assert login_in(places.auth, auth).account.key == seat.key
    assert (auth["odd"], accounts["odd"]) == (2, 1)
    assert [each["active"] for each in accounts["accounts"]] == [False, True]
    assert auth["codexMultiAuthSyncVersion"] == accounts["codexMultiAuthSyncVersion"] == NOW * 1000
    store.flush()  # the history is written behind the answer
    pushed = codex_home.last_push(store)
    assert pushed is not None
    assert (pushed.key, pushed.at) == (seat.key, NOW)
    assert codex_home.pool_state(store).selected_ms == NOW * 1000
    assert counted(store)["write_successes"] == 1


def test_push_adopts_first(store: Store, places: Places) -> None:
    """What the client has refreshed meanwhile is not overwritten with the older copy."""
    seat = fill(store, "a")
    put(places.auth, document_of("a", 3))
    assert codex_home.check_push(store, places, seat, NOW).renewals
    assert turn_of(store.credentials(seat.key)) == 1
    assert push(store, places, seat).renewals
    assert turn_of(store.credentials(seat.key)) == 3
    assert json.loads(places.auth.read_text())["tokens"]["refresh_token"] == "refresh-secret-a-3"


def test_push_over_a_stranger(store: Store, places: Places) -> None:
    """A login that only the client has would be lost; an API key would not."""
    seat = fill(store, "a")
    put(places.auth, document_of("b"))
    before = places.auth.read_bytes()
    with pytest.raises(StrangerInClientFile, match="sync pull"):
        push(store, places, seat)
    with pytest.raises(StrangerInClientFile, match="sync pull"):
        codex_home.check_push(store, places, seat, NOW)
    assert places.auth.read_bytes() == before
    assert counted(store)["write_failures"] == 1
    put(places.auth, {"OPENAI_API_KEY": "sk", "tokens": None})
    push(store, places, seat)
    assert json.loads(places.auth.read_text())["OPENAI_API_KEY"] == "sk"


def test_push_of_what_the_client_cannot_use(store: Store, places: Places) -> None:
    """A dead login, tokens that the client refuses, and an account that is gone."""
    dead = fill(store, "a", standing=Standing.NEEDS_LOGIN)
    opaque = account("b")
    store.put_account(opaque, Credentials(access="opaque", refresh="r")).result()
    for seat, error in ((dead, LoginNeeded), (opaque, CannotExport), (account("c"), UnknownAccount)):
        with pytest.raises(error):
            push(store, places, seat)
        with pytest.raises(error):
            codex_home.check_push(store, places, seat, NOW)
    assert not places.auth.exists()


def test_push_while_the_client_writes(store: Store, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is respected, and nothing is written."""
    monkeypatch.setattr(client_files, "LOCK_SECONDS", 0.01)
    seat = fill(store, "a")
    with FileLock(places.auth.with_name("auth.lock")), pytest.raises(ClientFileBusy):
        push(store, places, seat)
    assert not places.auth.exists()


def test_push_into_a_damaged_file(store: Store, places: Places) -> None:
    """Whatever is wrong with either file, both stay as they are."""
    seat = fill(store, "a")
    put(places.auth, document_of("a"))
    places.accounts.write_text("{")
    before = places.auth.read_bytes()
    with pytest.raises(BadClientFile):
        push(store, places, seat)
    assert (places.auth.read_bytes(), places.accounts.read_text()) == (before, "{")


def test_the_first_usable(store: Store) -> None:
    """By the pool's own order: priority, then age; not one that rests."""
    with pytest.raises(NoAccounts):
        codex_home.first_usable(store, NOW)
    a, b, c = fill(store, "a", added_at=1.0), fill(store, "b", added_at=2.0), fill(store, "c", priority=1, added_at=3.0)
    assert codex_home.first_usable(store, NOW) == c
    store.update_account(c.key, enabled=False).result()
    assert codex_home.first_usable(store, NOW) == a
    store.set_cooldown(a.key, Cooldown(until=NOW + 9, reason="usage_limit_reached")).result()
    assert codex_home.first_usable(store, NOW) == b
    store.remove_account(b.key).result()
    with pytest.raises(NothingUsable):
        codex_home.first_usable(store, NOW)


# --- any order -------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pull", "push", "adopt", "tell", "client refresh", "pool refresh", "remove", "login"]),
        st.sampled_from("ab"),
    ),
    max_size=12,
)


class World:
    """A provider whose refresh tokens work once, a client with one login, and our pool."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.places = Places(accounts=folder / "accounts.json", auth=folder / "auth.json")
        self.store = store
        self.newest = {"a": 1, "b": 1}

    def client(self) -> tuple[str, int]:
        if not self.places.auth.exists():
            return "", 0
        refresh = json.loads(self.places.auth.read_text())["tokens"]["refresh_token"]
        _, _, name, turn = refresh.split("-")
        return name, int(turn)

    def pool(self, name: str) -> int:
        return turn_of(self.store.credentials(key_of(name)))

    def alive(self) -> set[str]:
        """The accounts whose newest tokens somebody has."""
        return {name for name, turn in self.newest.items() if turn == self.pool(name) or (name, turn) == self.client()}

    def step(self, what: str, name: str) -> None:
        logs_in = what == "login" and not self.client()[0]
        if logs_in or (what == "client refresh" and self.client() == (name, self.newest[name])):
            self.newest[name] += 1
            put(self.places.auth, document_of(name, self.newest[name]))
        elif what == "pool refresh" and self.pool(name) == self.newest[name]:
            self.newest[name] += 1
            fresh = login_in(Path("x"), document_of(name, self.newest[name])).credentials
            stored = self.store.credentials(key_of(name))
            assert stored is not None
            assert self.store.save_credentials(key_of(name), fresh, replaces=stored.refresh).result()
        elif what == "remove":
            self.store.remove_account(key_of(name)).result()
        elif what == "adopt":
            adopt(self.store, self.places.auth, NOW)
        elif what == "tell":
            codex_home.tell(self.store, self.places, WRITER)
        elif what == "pull" and self.client()[0]:
            pull(self.store, self.places)
        elif what == "push":
            for seat in [each for each in self.store.accounts() if each.key == key_of(name)]:
                try:
                    push(self.store, self.places, seat)
                except ClientFileError:
                    assert self.pool(self.client()[0]) == 0, "only a login that the pool lacks is in the way"


@given(STEPS)
def test_any_order_of_events(steps: list[tuple[str, str]]) -> None:
    """One row per seat, tokens only ever get newer, and what is newest is still held by somebody."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "home" / "pool.db") as store:
        world = World(Path(folder), store)
        fill(store, "a")
        for what, name in steps:
            pool, client, alive = {each: world.pool(each) for each in "ab"}, world.client(), world.alive()
            world.step(what, name)
            keys = [each.key for each in store.accounts()]
            assert len(keys) == len(set(keys))
            kept = set("ab") - ({name} if what == "remove" else set())
            assert all(world.pool(each) >= pool[each] for each in kept)
            assert world.client()[0] != client[0] or world.client()[1] >= client[1]
            assert alive & kept <= world.alive()
            if what == "pull" and client[0]:
                assert world.pool(world.client()[0]) >= world.client()[1]
