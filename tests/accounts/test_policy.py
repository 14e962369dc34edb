"""What the owner wants: a choice goes before the settings, and a pin that names nobody bars everybody."""

from pathlib import Path

import pytest

from accounts.choice.selection import Ask, Exhausted, Strategy
from accounts.policy import policy_of, stored_pool
from accounts.store.store import Store
from config.settings import Settings
from tests.builders import NOW, account, credentials, key_of, pool_of


@pytest.mark.parametrize("name", ["balanced", "drain", "round_robin"])
def test_a_strategy_is_what_the_settings_say(name: str) -> None:
    policy = policy_of(Settings(strategy=name), pool_of("a", "b").candidates)  # type: ignore[arg-type]
    assert (policy.strategy, policy.pin) == (Strategy(name), "")


def test_a_chosen_account_goes_before_the_settings() -> None:
    pinned = Settings(strategy="pinned", pinned_account="b")
    assert policy_of(pinned, pool_of("a", "b").candidates).pin == key_of("b")
    assert policy_of(pinned, pool_of("a", "b").candidates, key_of("a")).pin == key_of("a")


def test_a_choice_that_is_gone_counts_for_nothing() -> None:
    assert policy_of(Settings(), pool_of("a").candidates, key_of("z")).pin == ""


def test_a_pin_that_names_nobody_bars_everybody() -> None:
    pool = pool_of("a", "b")
    pool.policy = policy_of(Settings(strategy="pinned", pinned_account="nobody"), pool.candidates)
    assert isinstance(pool.select(Ask(), NOW), Exhausted)


def test_the_pool_of_the_store_is_the_one_that_a_proxy_builds(tmp_path: Path) -> None:
    """Accounts, rests, threads and the choice, of the file."""
    with Store(tmp_path / "pool.db") as store:
        for name in "ab":
            store.put_account(account(name), credentials(name)).result()
        store.choose_account(key_of("b")).result()
        pool = stored_pool(store, Settings(on_foreign_compaction="drop"), NOW)
    assert (list(pool.candidates), pool.policy.pin, pool.policy.drop_compaction) == (
        [key_of("a"), key_of("b")],
        key_of("b"),
        True,
    )
