"""A rest goes when its reason is gone, and not when a new one has begun."""

from collections.abc import Callable

import pytest

from accounts.choice.quota import Window
from accounts.model import Cooldown
from accounts.owner.rests import end_rest, stale, stale_rests
from accounts.store.store import Store
from tests.builders import NOW, key_of


def window(used: float, resets_in: float = 900, seen_in: float = 0, family: str = "codex") -> Window:
    return Window(
        family=family, minutes=300, used_percent=used, resets_at=NOW + resets_in, seen_at=NOW + seen_in
    )  # fmt: skip


LIMIT = Cooldown(until=NOW + 900, reason="usage_limit", since=NOW - 60)


@pytest.mark.parametrize(
    ("rest", "windows", "is_stale"),
    [
        (Cooldown(until=NOW - 1, reason="usage_limit"), (), True),
        (Cooldown(until=NOW, reason="of another version"), (), True),
        (LIMIT, (), False),  # nothing is known
        (LIMIT, (window(10, family="other"),), False),  # nothing of the limit itself
        (LIMIT, (window(100),), False),
        (LIMIT, (window(97),), False),  # too close to tell
        (LIMIT, (window(10),), True),
        (LIMIT, (window(10, seen_in=-90),), False),  # that was before it was reached
        (LIMIT, (window(100, resets_in=-1, seen_in=-90),), True),  # what it waited for has come
        (LIMIT, (window(10), window(100)), False),
        (Cooldown(until=NOW + 900, reason="no_credit", since=NOW - 60), (window(10),), False),
        (Cooldown(until=NOW + 9, reason="overloaded", since=NOW - 1), (window(10),), False),
    ],
)
def test_a_rest_is_stale_only_when_its_reason_is_gone(
    rest: Cooldown, windows: tuple[Window, ...], is_stale: bool
) -> None:
    assert bool(stale(rest, windows, NOW)) is is_stale


def test_the_rests_of_a_pool_that_are_over(store: Store, history: Callable[[], list[tuple[str, str]]]) -> None:
    """Each can be ended once, and is in the history."""
    ann, bob = key_of("ann"), key_of("bob")
    store.set_cooldown(ann, Cooldown(until=NOW - 1, reason="overloaded", since=NOW - 9))
    store.set_cooldown(bob, LIMIT).result()
    (found,) = stale_rests(store, NOW)
    assert (found.account.key, found.why.startswith("it ended at ")) == (ann, True)
    assert end_rest(store, found.account, found.rest, found.why, NOW)
    assert not end_rest(store, found.account, found.rest, found.why, NOW)
    assert store.cooldowns() == {bob: LIMIT}
    assert history() == [("rest_ended", found.why)]


def test_one_that_began_meanwhile_stays(store: Store) -> None:
    account = store.accounts()[0]
    store.set_cooldown(account.key, LIMIT).result()
    assert not end_rest(store, account, Cooldown(until=NOW - 1, reason="overloaded"), "over", NOW)
    assert store.cooldowns() == {account.key: LIMIT}
