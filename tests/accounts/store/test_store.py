"""The store keeps what it was told, shares one file between openers, and never harms a file it cannot read.

What selection goes by (windows, refused models, threads, decisions) is in tests/accounts/test_store_selection.py.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.errors import (
    LabelTaken,
    StoreClosed,
    StoreError,
    UnknownAccount,
)
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, LooksTaken, Standing
from accounts.store.store import AFFINITIES_KEPT, CHANGES_KEPT, EVENTS_KEPT, Store

ROOT = Path(__file__).resolve().parents[3]
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")


def seat(name: str, **more: object) -> Account:
    return Account(**{"account_id": f"acct-{name}", "user_id": f"user-{name}", "label": name, **more})  # type: ignore[arg-type]


def tokens(name: str, **more: object) -> Credentials:
    values = {"access": f"access-of-{name}-nobody-may-see", "refresh": f"refresh-of-{name}-nobody-may-see", **more}
    return Credentials(**values)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "pool.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def put(store: Store, name: str, **more: object) -> Account:
    account = seat(name, **more)
    store.put_account(account, tokens(name)).result()
    return account


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_every_field_survives(store: Store) -> None:
    """What comes out is what went in, for every field."""
    account = seat(
        "full",
        email="full@example.com",
        plan="team",
        fedramp=True,
        backend_origin="https://gov.example.com",
        routing_override="us",
        tags=("a", "b"),
        note="a note",
        priority=-3,
        reserve_percent=20,
        enabled=False,
        standing=Standing.NEEDS_LOGIN,
        added_at=12.5,
    )
    credentials = tokens("full", id_token="id-of-full-nobody-may-see", expires_at=99.5, refreshed_at=7.0)
    assert store.put_account(account, credentials).result() is True
    assert store.accounts() == (account,)
    assert store.credentials(account.key) == credentials
    assert store.all_credentials() == {account.key: credentials}


def test_it_is_still_there_after_reopening(path: Path) -> None:
    """Closing waits for what is queued, and the file has it all."""
    with Store(path) as store:
        store.put_account(seat("a"), tokens("a"))
        store.set_cooldown(seat("a").key, Cooldown(until=50, reason="usage_limit_reached", since=40))
    with Store(path) as store:
        assert store.accounts() == (seat("a"),)
        assert store.cooldowns() == {seat("a").key: Cooldown(until=50, reason="usage_limit_reached", since=40)}


def test_accounts_are_ordered_by_age_then_key(store: Store) -> None:
    """List numbers stay stable: oldest first, ties by key."""
    for name, added in (("c", 2.0), ("b", 1.0), ("a", 2.0)):
        put(store, name, added_at=added)
    assert [a.label for a in store.accounts()] == ["b", "a", "c"]


def test_an_unknown_key_has_no_credentials(store: Store) -> None:
    """Nothing stored, nothing given."""
    assert store.credentials("nobody:here") is None


# --- accounts --------------------------------------------------------------------------------------------------------


def test_relogin_renews_in_place(store: Store) -> None:
    """A known seat keeps what its owner chose and takes what the login tells."""
    old = put(store, "work", tags=("t",), note="n", priority=5, reserve_percent=10, enabled=False, added_at=1.0)
    store.update_account(old.key, standing=Standing.NEEDS_LOGIN, backend_origin="https://gov.example.com").result()
    login = seat("work", label="other", email="new@example.com", plan="pro", added_at=9.0)
    assert store.put_account(login, tokens("renewed")).result() is False
    kept = replace(old, email="new@example.com", plan="pro", backend_origin="https://gov.example.com")
    assert store.accounts() == (kept,)
    assert store.credentials(old.key) == tokens("renewed")


def test_a_taken_label_gets_a_number(store: Store) -> None:
    """Labels are unique without regard to case, so that each names one account."""
    for user in ("1", "2", "3"):
        put(store, user, label="Ann" if user == "2" else "ann")
    assert [a.label for a in store.accounts()] == ["ann", "Ann-2", "ann-3"]


def test_update_changes_only_what_is_named(store: Store) -> None:
    """Other fields stay; a field that does not exist or is the identity is refused at once."""
    account = put(store, "a", note="n")
    store.update_account(account.key, priority=3, tags=("x",)).result()
    assert store.accounts() == (replace(account, priority=3, tags=("x",)),)
    for wrong in ({"colour": 1}, {"account_id": "b"}, {"key": "b"}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            store.update_account(account.key, **wrong)


def test_update_refuses_a_taken_label(store: Store) -> None:
    """Renaming never makes two accounts share a name; its own name is free to keep."""
    a, b = put(store, "a"), put(store, "b")
    with pytest.raises(LabelTaken):
        store.update_account(b.key, label="A").result()
    store.update_account(a.key, label="A").result()
    assert [x.label for x in store.accounts()] == ["A", "b"]


def test_an_account_that_is_gone(store: Store) -> None:
    """Changing one is an error; what only follows its use is dropped without a word."""
    key = seat("gone").key
    with pytest.raises(UnknownAccount):
        store.update_account(key, note="x").result()
    with pytest.raises(UnknownAccount):
        store.set_standing(key, Standing.GOOD).result()
    store.set_cooldown(key, Cooldown(until=5, reason="x")).result()
    store.save_affinity(Affinity(thread="t", key=key, used_at=1)).result()
    assert store.cooldowns() == {}
    assert store.affinities(9) == ()
    assert store.remove_account(key).result() is False


def test_removal_takes_everything_but_the_history(store: Store) -> None:
    """No credential, rest, window or thread outlives its account; another account is not touched."""
    gone, stays = put(store, "gone"), put(store, "stays")
    for account in (gone, stays):
        store.set_cooldown(account.key, Cooldown(until=5, reason="x"))
        store.save_affinity(Affinity(thread=account.label, key=account.key, used_at=1))
    store.record(Event(at=1, kind="cooldown", key=gone.key))
    assert store.remove_account(gone.key).result() is True
    assert store.accounts() == (stays,)
    assert store.all_credentials().keys() == store.cooldowns().keys() == {stays.key}
    assert [x.thread for x in store.affinities(9)] == ["stays"]
    assert len(store.events(9)) == 1


def test_standing(store: Store) -> None:
    """What the provider thinks of an account is stored."""
    account = put(store, "a")
    store.set_standing(account.key, Standing.DEACTIVATED).result()
    assert store.accounts()[0].standing is Standing.DEACTIVATED


# --- credentials, rests, threads, events -----------------------------------------------------------------------------


def test_refreshed_tokens_are_compared_and_swapped(store: Store) -> None:
    """Only the one who refreshed from the stored token may store the result."""
    account = put(store, "a")
    first, second = tokens("first"), tokens("second")
    assert store.save_credentials(account.key, first, replaces=tokens("a").refresh).result() is True
    assert store.save_credentials(account.key, second, replaces=tokens("a").refresh).result() is False
    assert store.credentials(account.key) == first
    assert store.save_credentials("gone:too", second, replaces=first.refresh).result() is False
    assert store.credentials("gone:too") is None


def test_a_refresh_token_that_is_at_its_end_is_known_as_that_until_there_is_another(store: Store) -> None:
    """Told once; never of one that the account does not have any more."""
    account = put(store, "a")
    old, new = tokens("a"), tokens("new")
    assert store.end_renewals(account.key, old.refresh, "invalid_grant", 1.0).result() is True
    assert store.end_renewals(account.key, old.refresh, "cut_off", 2.0).result() is False
    assert store.credentials(account.key) == replace(old, ended="invalid_grant")
    assert (store.spent([old.refresh]), store.spent([old.refresh], only_replaced=True)) == (
        {old.refresh: account.key},
        {},
    )
    store.save_credentials(account.key, new, replaces=old.refresh).result()
    assert store.end_renewals(account.key, old.refresh, "cut_off", 3.0).result() is False
    assert store.credentials(account.key) == new


def test_of_two_who_would_look_at_an_account_one_does(store: Store) -> None:
    """And nobody is waited for who is well, or gone."""
    account = put(store, "a")
    store.set_standing(account.key, Standing.DEACTIVATED).result()
    assert store.looked("gone:too", None, 1.0).result() is False
    assert [store.looked(account.key, None, at).result() for at in (1.0, 2.0)] == [True, False]
    (look,) = store.looks().values()
    assert [store.looked(account.key, look, at).result() for at in (5.0, 6.0)] == [True, False]
    assert store.looks() == {account.key: LooksTaken(times=1, at=5.0)}
    store.set_standing(account.key, Standing.GOOD).result()
    assert store.looks() == {}


def test_a_replaced_refresh_token_is_known_as_spent(store: Store) -> None:
    """By its fingerprint only; one that the provider let stand is not spent, nor one that a new login replaced."""
    account = put(store, "a")
    old, new = tokens("a"), tokens("new")
    store.save_credentials(account.key, replace(old, access="x"), replaces=old.refresh).result()
    assert store.spent([old.refresh]) == {}
    store.save_credentials(account.key, new, replaces=old.refresh).result()
    store.put_account(account, tokens("login")).result()
    assert store.spent([old.refresh, new.refresh, "never seen"]) == {old.refresh: account.key}
    assert store.spent([]) == {}


def test_a_login_of_our_own_is_ours_until_it_is_shared(store: Store) -> None:
    """A refresh keeps that; a login from a file never was."""
    account = put(store, "a")
    store.put_account(account, replace(tokens("a"), own=True)).result()
    found = store.credentials(account.key)
    assert found is not None
    assert found.own
    store.share(account.key).result()
    found = store.credentials(account.key)
    assert found is not None
    assert not found.own


@pytest.mark.parametrize(("second", "left"), [(50, 100), (100, 100), (150, 150)])
def test_a_longer_rest_stays(store: Store, second: float, left: float) -> None:
    """A second limit never brings an account back earlier than the first one said."""
    key = put(store, "a").key
    store.set_cooldown(key, Cooldown(until=100, reason="first"))
    store.set_cooldown(key, Cooldown(until=second, reason="second")).result()
    assert store.cooldowns()[key].until == left
    store.clear_cooldown(key).result()
    assert store.cooldowns() == {}


def fill(path: Path, statement: str, count: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.executemany(statement, ((i,) for i in range(count)))
        db.commit()


def test_history_is_bounded(store: Store, path: Path) -> None:
    """The file does not grow for ever: the oldest events, changes and threads make room."""
    key = put(store, "a").key
    fill(path, "INSERT INTO event (at, kind, key, thread, detail) VALUES (?, 'old', '', '', '')", EVENTS_KEPT)
    fill(path, "INSERT INTO change (writer) VALUES (?)", CHANGES_KEPT)
    fill(path, f"INSERT INTO affinity (thread, key, used_at) SELECT ?1, '{key}', ?1", AFFINITIES_KEPT)
    store.record(Event(at=7, kind="newest"))
    store.save_affinity(Affinity(thread="newest", key=key, used_at=AFFINITIES_KEPT + 1)).result()
    with closing(sqlite3.connect(path)) as db:
        counts = [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("event", "change", "affinity")]
    assert counts == [EVENTS_KEPT, CHANGES_KEPT, AFFINITIES_KEPT]
    assert store.events(1)[0].kind == "newest"
    assert store.affinities(1)[0].thread == "newest"


def test_tokens_show_up_nowhere(store: Store) -> None:
    """Neither `repr` nor the history holds a token, even one that somebody put into an event."""
    account = put(store, "a")
    secret = tokens("a")
    store.record(Event(at=1, kind="oops", detail=f"sent {secret.access} and {secret.refresh}")).result()
    shown = repr((store, store.accounts(), store.all_credentials(), store.events(9)))
    assert secret.access not in shown
    assert secret.refresh not in shown
    assert account.label in shown


def test_counters_outlive_the_process(path: Path) -> None:
    """They add up across openers, and what was never counted is not in them."""
    with Store(path) as one, Store(path) as two:
        assert one.counters() == {}
        one.count("reads")
        two.count("reads", 2)
        one.count("writes", 0)
    with Store(path) as store:
        assert store.counters() == {"reads": 3, "writes": 0}


def test_a_seat_that_must_be_new(store: Store) -> None:
    """Whoever only adds never renews a seat that somebody else added meanwhile."""
    account = seat("a")
    assert store.put_account(account, tokens("first"), only_new=True).result() is True
    assert store.put_account(account, tokens("second"), only_new=True).result() is False
    assert store.credentials(account.key) == tokens("first")


# --- sharing one file ------------------------------------------------------------------------------------------------


def test_two_openers_see_each_others_changes_once(path: Path) -> None:
    """A change by another opener counts exactly once; one's own never does."""
    with Store(path) as one, Store(path) as two:
        assert (one.changed_by_others(), two.changed_by_others()) == (False, False)
        key = put(one, "a").key
        assert (one.changed_by_others(), two.changed_by_others()) == (False, True)
        assert (one.changed_by_others(), two.changed_by_others()) == (False, False)
        assert two.accounts() == one.accounts()
        two.update_account(key, note="x")
        two.update_account(key, note="y").result()
        put(one, "b")
        assert (one.changed_by_others(), two.changed_by_others()) == (True, True)
        assert (one.changed_by_others(), two.changed_by_others()) == (False, False)


def test_who_looks_often_looks_once_in_a_while(path: Path) -> None:
    """A change is missed by no look that is made; an earlier time than the last one is a clock that was set."""
    with Store(path) as one, Store(path) as two:
        assert one.changed_by_others(100.0, within=0.05) is False
        put(two, "a")
        assert one.changed_by_others(100.04, within=0.05) is False
        assert one.changed_by_others(100.06, within=0.05) is True
        put(two, "b")
        assert one.changed_by_others(100.07) is True
        put(two, "c")
        assert one.changed_by_others(100.08, within=0.05) is False
        assert one.changed_by_others(90.0, within=0.05) is True


def test_looks_between_changes_are_one_question_each(path: Path) -> None:
    asked: list[str] = []
    with Store(path) as one:
        one.file._open.reader.set_trace_callback(asked.append)
        for look in range(100):
            one.changed_by_others(100.0 + look / 1000, within=0.05)
    assert asked == ["PRAGMA data_version"] * 2


def test_events_that_are_recorded_together_ask_once_whether_tokens_have_changed(path: Path) -> None:
    asked: list[str] = []
    with Store(path) as one:
        db = one.file.write(lambda db: db).result()
        one.file.write(lambda _: db.set_trace_callback(asked.append)).result()
        one.record(*(Event(at=0.0, kind="noted", detail="x") for _ in range(20))).result()
    assert asked.count("PRAGMA data_version") == 1


def test_changes_before_opening_do_not_count(path: Path) -> None:
    """Whoever opens reads everything anyway."""
    with Store(path) as one:
        put(one, "a")
        with Store(path) as two:
            assert two.changed_by_others() is False


def test_a_gap_counts_as_a_change(path: Path) -> None:
    """When the notes of others' changes were already dropped, something may have changed."""
    with Store(path) as one:
        put(one, "a")
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'change'")
            db.commit()
        put(one, "b")
        assert one.changed_by_others() is True
        assert one.changed_by_others() is False


WRITER = """
import sys
from pathlib import Path
from accounts.model import Account, Credentials, Event
from accounts.store.store import Store
name = sys.argv[2]
with Store(Path(sys.argv[1])) as store:
    waiting = []
    for n in range(25):
        account = Account(account_id=f"{name}-{n}", user_id="u", label=f"{name}-{n}")
        waiting.append(store.put_account(account, Credentials(access="a", refresh="r")))
        waiting.append(store.record(Event(at=float(n), kind=name)))
    for future in waiting:
        future.result()
"""


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    """Rows are merged, never the whole pool overwritten; even creating the file is safe to do at once."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name], env=environ, stderr=subprocess.PIPE, text=True) for name in "xyz"]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, "")
    with Store(path) as store:
        assert {a.label for a in store.accounts()} == {f"{name}-{n}" for name in "xyz" for n in range(25)}
        assert sorted(e.kind for e in store.events(999)) == ["x"] * 25 + ["y"] * 25 + ["z"] * 25


def test_many_threads_may_read_while_it_writes(store: Store) -> None:
    """The read connection is guarded: threads of the proxy and of a status page share it."""
    with ThreadPoolExecutor(4) as threads:
        reads = [threads.submit(store.accounts) for _ in range(100)]
        for n in range(20):
            store.put_account(seat(f"s{n:02}"), tokens("x"))
        store.flush()
        counts = [len(read.result()) for read in reads]
    assert max(counts) <= 20
    assert len(store.accounts()) == 20


# --- the writer ------------------------------------------------------------------------------------------------------


def test_a_failing_write_does_not_stop_the_writer(store: Store) -> None:
    """The Future carries the exception, nothing of that write is stored, and the next write works."""
    account = put(store, "a")
    broken = replace(account, note=object())  # type: ignore[arg-type]
    failed = store.update_account(account.key, note=broken.note)
    after = store.update_account(account.key, note="fine")
    with pytest.raises(StoreError):
        failed.result()
    assert after.result() is None
    assert store.accounts()[0].note == "fine"


def test_a_locked_file_is_waited_for(store: Store, path: Path) -> None:
    """Another process's transaction delays a write, it does not lose it."""
    account = put(store, "a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = store.update_account(account.key, note="later")
        assert not waiting.done()
        assert store.accounts() == (account,)
        other.execute("COMMIT")
    assert waiting.result() is None
    assert store.accounts()[0].note == "later"


def test_writing_after_closing_says_so(path: Path) -> None:
    """A late write is refused through its Future; closing twice is harmless."""
    store = Store(path)
    store.close()
    store.close()
    store.flush()
    with pytest.raises(StoreClosed):
        store.clear_cooldown("a:b").result()
