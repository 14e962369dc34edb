"""After the clock was set ahead and back: nothing rests, lasts or is believed longer than its own length from now."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.choice.clock_sense import (
    SLACK,
    SensibleSource,
    longest_rest,
    sensible_affinity,
    sensible_login,
    sensible_refusal,
    sensible_rest,
    sensible_window,
)
from accounts.choice.model_support import MODEL_SECONDS
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.quota import MAIN, Window
from accounts.choice.selection import Ask
from accounts.model import Affinity, Cooldown
from accounts.store.store import Store
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, account, credentials, key_of, lease_of, pool_of

A = key_of("a")
AHEAD = NOW + 30 * DAY


def rest(since: float, seconds: float) -> Cooldown:
    return Cooldown(until=since + seconds, reason=Kind.USAGE_LIMIT, since=since)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        opened.put_account(account("a"), credentials("a")).result()
        yield opened


@pytest.mark.parametrize(
    ("given", "until"),
    [
        (rest(NOW - HOUR, 5 * HOUR), NOW + 4 * HOUR),
        (rest(NOW + SLACK, 5 * HOUR), NOW + SLACK + 5 * HOUR),
        (rest(AHEAD, 5 * HOUR), NOW + 5 * HOUR),
        (rest(AHEAD, -5), NOW),
        (rest(AHEAD, 60 * DAY), NOW + 8 * DAY),
        (rest(NOW, 30 * DAY), NOW + 8 * DAY),
    ],
)
def test_a_rest_of_the_future_has_its_own_length_from_now_and_none_is_longer_than_8_days(
    given: Cooldown, until: float
) -> None:
    found = sensible_rest(given, (), NOW)
    assert found.until == until
    assert found.since <= NOW + SLACK


def test_an_account_with_a_longer_window_may_rest_as_long_as_that() -> None:
    month = Window(family=MAIN, minutes=30 * 1440, used_percent=100)
    week = Window(family=MAIN, minutes=WEEK_MINUTES, used_percent=100)
    other = Window(family="other", minutes=30 * 1440, used_percent=100)
    assert [longest_rest([each]) / DAY for each in (month, week, other)] == [30, 8, 8]
    assert sensible_rest(rest(NOW, 25 * DAY), (month,), NOW).until == NOW + 25 * DAY


def test_a_window_of_the_future_was_seen_now_and_upstreams_time_is_believed_where_it_can_be_one() -> None:
    def seen(at: float, resets_at: float | None) -> Window:
        return sensible_window(Window(family=MAIN, minutes=300, used_percent=9, resets_at=resets_at, seen_at=at), NOW)

    assert (seen(NOW - 9, NOW + HOUR).seen_at, seen(AHEAD, None).seen_at) == (NOW - 9, NOW)
    assert seen(AHEAD, NOW + HOUR).resets_at == NOW + HOUR
    assert seen(AHEAD, AHEAD + HOUR).resets_at == NOW + HOUR
    assert seen(AHEAD, AHEAD + 9 * DAY).resets_at == NOW + 5 * HOUR
    assert seen(AHEAD, None).resets_at is None


def test_threads_and_logins_of_the_future_are_of_now() -> None:
    used = Affinity(thread="t", key=A, used_at=AHEAD, detour="b", detoured_at=AHEAD)
    found = sensible_affinity(used, NOW)
    assert (found.used_at, found.detoured_at) == (NOW, NOW)
    assert sensible_affinity(found, NOW) is found
    login = sensible_login(credentials("a", refreshed_at=AHEAD, expires_at=AHEAD + HOUR), NOW)
    assert (login.refreshed_at, login.expires_at) == (NOW, NOW + HOUR)
    assert sensible_login(credentials("a", refreshed_at=AHEAD, expires_at=NOW + HOUR), NOW).expires_at == NOW + HOUR
    assert sensible_refusal(AHEAD, NOW) == NOW + MODEL_SECONDS


def test_what_a_file_says_of_the_future_is_read_with_sense(store: Store) -> None:
    store.set_cooldown(A, rest(AHEAD, 5 * HOUR))
    store.set_windows(A, (Window(family=MAIN, minutes=300, used_percent=9, seen_at=AHEAD),))
    store.save_affinity(Affinity(thread="t", key=A, used_at=AHEAD))
    store.refuse_model(A, "m", AHEAD + DAY, AHEAD).result()
    found = SensibleSource(store, NOW)
    assert found.cooldowns()[A].until == NOW + 5 * HOUR
    assert found.windows()[A][0].seen_at == found.affinities(9)[0].used_at == NOW
    assert found.refused_models() == {(A, "m"): NOW + DAY}


def test_what_is_learned_later_takes_the_place_of_what_a_file_says_of_the_future(store: Store) -> None:
    store.set_cooldown(A, rest(AHEAD, 5 * HOUR))
    store.set_windows(A, (Window(family=MAIN, minutes=300, used_percent=9, seen_at=AHEAD),))
    store.save_affinity(Affinity(thread="t", key=A, used_at=AHEAD)).result()
    store.set_cooldown(A, rest(NOW, 6 * HOUR))
    store.set_windows(A, (Window(family=MAIN, minutes=300, used_percent=8, seen_at=NOW),))
    store.save_affinity(Affinity(thread="t", key=A, used_at=NOW)).result()
    assert store.cooldowns()[A].since == store.windows()[A][0].seen_at == store.affinities(9)[0].used_at == NOW


def test_a_pool_whose_clock_was_ahead_is_as_good_as_new_when_it_is_back() -> None:
    """A limit, a burst of trouble and two who were signed out: the brakes and the rest end as they would have."""
    pool = pool_of("a", "b", "c")
    pool.report(lease_of(pool, "a", AHEAD), Outcome(kind=Kind.USAGE_LIMIT, until=AHEAD + 5 * HOUR), AHEAD)
    for name in "abc":
        pool.storm.record(key_of(name), AHEAD)
        pool.alarm.record(key_of(name), AHEAD)
    lease = lease_of(pool, "b", AHEAD, thread="t")
    pool.report(lease, Outcome(kind=Kind.OK), AHEAD)
    pool.observed(key_of("b"), (Window(family=MAIN, minutes=300, used_percent=100, seen_at=AHEAD),))
    pool.pace(lease, AHEAD)
    pool.clock_was_set(NOW)
    assert not pool.storm.on(NOW)
    assert not pool.alarm.on(NOW)
    assert pool.may_pace(lease, NOW)
    assert not pool.can_serve(A, Ask(), NOW)
    assert pool.can_serve(A, Ask(), NOW + 5 * HOUR + 1)
    assert pool.place("t", NOW).home == key_of("b")
    assert pool.place("t", NOW + DAY + 1).home == ""
    seen = Window(family=MAIN, minutes=300, used_percent=1, seen_at=NOW + 1)
    pool.observed(key_of("b"), (seen,))
    assert pool.candidates[key_of("b")].windows == (seen,)
