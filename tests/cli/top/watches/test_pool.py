"""Looking at the pool's file: what is read anew, and when."""

from pathlib import Path

import pytest

from accounts.errors import StoreLost
from accounts.model import Affinity, Cooldown
from accounts.states import State
from accounts.store.store import Store
from cli.top.watches.pool import FRESH_SECONDS, PoolWatch
from tests.builders import NOW, key_of


def test_nothing_is_read_when_nothing_is_new(store: Store) -> None:
    watch = PoolWatch(store)
    first = watch.look(NOW)
    assert watch.look(NOW + 1) is first
    assert watch.look(NOW + FRESH_SECONDS - 1) is first
    assert watch.look(NOW + FRESH_SECONDS + 1) is not first


def test_what_others_and_we_write_is_read(store: Store, home: Path) -> None:
    watch = PoolWatch(store)
    first = watch.look(NOW)
    with Store(home / "pool.db") as other:
        other.update_account(key_of("ann"), enabled=False).result()
    second = watch.look(NOW + 1)
    assert second is not first
    assert second.rows[0].told.state is State.PAUSED
    store.update_account(key_of("ann"), enabled=True).result()
    watch.forget()
    assert watch.look(NOW + 2).rows[0].told.state is State.READY


def test_a_rest_ends_to_the_second(store: Store) -> None:
    store.set_cooldown(key_of("ann"), Cooldown(until=NOW + 5, reason="usage_limit", since=NOW)).result()
    watch = PoolWatch(store)
    assert watch.look(NOW).rows[0].told.state is State.RESTING
    assert watch.look(NOW + 5).rows[0].told.state is State.READY


def test_threads_are_counted_where_they_live(store: Store) -> None:
    """Not those that were forgotten by now."""
    for thread, name, at in (("1", "ann", NOW - 5), ("2", "ann", NOW - 9), ("3", "bob", NOW - 3 * 86_400)):
        store.save_affinity(Affinity(thread=thread, key=key_of(name), used_at=at)).result()
    assert PoolWatch(store).look(NOW).homes == {key_of("ann"): 2}


def test_a_file_that_is_gone_is_an_error_until_it_is_back(store: Store, home: Path) -> None:
    watch = PoolWatch(store)
    watch.look(NOW)
    (home / "pool.db").rename(home / "aside")
    for later in (10, 20):
        with pytest.raises(StoreLost, match="is not there any more"):
            watch.look(NOW + later)
    (home / "aside").rename(home / "pool.db")
    assert len(watch.look(NOW + 30).rows) == 3


def test_a_clock_that_is_set_back_does_not_freeze_it(store: Store) -> None:
    watch = PoolWatch(store)
    first = watch.look(NOW)
    assert watch.look(NOW - 3600) is not first


def test_an_empty_pool_says_what_to_do(home: Path) -> None:
    with Store(home / "pool.db") as empty:
        assert "codex-rotate login" in PoolWatch(empty).look(NOW).hints[0]
