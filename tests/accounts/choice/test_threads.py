"""Where a conversation lives, where it is meanwhile, and what of that is stored."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.threads import (
    DETOUR_SECONDS,
    MOST_THREADS,
    REWRITE_SECONDS,
    THREAD_SECONDS,
    UNPLACED,
    Placement,
    Threads,
)
from accounts.model import Affinity
from accounts.store.store import Store
from tests.builders import DAY, HOUR, NOW, account, credentials, key_of

MINUTE = 60.0


def served(threads: Threads, key: str, seconds: float = 0, *, thread: str = "t", home_may_return: bool = True) -> bool:
    """The thread was served by this account so many seconds from now; whether that has to be stored."""
    return threads.served(thread, key, home_may_return=home_may_return, now=NOW + seconds) is not None


def at(threads: Threads, seconds: float = 0, thread: str = "t") -> Placement:
    return threads.place(thread, NOW + seconds)


@pytest.fixture
def threads() -> Threads:
    """Thread t lives at a since just now."""
    known = Threads()
    assert served(known, "a")
    return known


# --- home and detour -------------------------------------------------------------------------------------------------


def test_a_new_thread_lives_nowhere() -> None:
    assert Threads().place("t", NOW) == UNPLACED == Placement()


def test_a_request_without_a_thread_lives_nowhere(threads: Threads) -> None:
    assert at(threads, thread="") == UNPLACED


def test_a_thread_lives_where_it_was_first_served(threads: Threads) -> None:
    assert at(threads) == Placement(home="a")
    assert at(threads, thread="another") == UNPLACED


def test_a_detour_does_not_overwrite_the_home(threads: Threads) -> None:
    served(threads, "b", 10)
    assert at(threads, 10) == Placement(home="a", detour="b")


def test_a_thread_that_is_served_at_home_again_is_on_no_detour(threads: Threads) -> None:
    served(threads, "b", 10)
    served(threads, "a", 20)
    assert at(threads, 20) == Placement(home="a")
    served(threads, "b", 30)
    assert at(threads, 30 + DETOUR_SECONDS) == Placement(home="a", detour="b"), "a detour begins anew"


@pytest.mark.parametrize(("minutes", "home"), [(0.1, "a"), (29.9, "a"), (30, "a"), (30.1, "b"), (60, "b")])
def test_a_thread_that_was_away_for_half_an_hour_lives_there(threads: Threads, minutes: float, home: str) -> None:
    assert DETOUR_SECONDS == 30 * MINUTE
    served(threads, "b", 10)
    assert at(threads, 10 + minutes * MINUTE).home == home


def test_a_detour_that_is_in_use_all_the_time_is_over_as_soon(threads: Threads) -> None:
    for minute in range(31):
        served(threads, "b", minute * MINUTE)
        assert at(threads, minute * MINUTE) == Placement(home="a", detour="b")
    served(threads, "b", 31 * MINUTE)
    assert at(threads, 31 * MINUTE) == Placement(home="b")


def test_a_thread_that_has_moved_takes_its_old_home_for_a_detour(threads: Threads) -> None:
    served(threads, "b", 10)
    served(threads, "a", 10 + HOUR)
    assert at(threads, 10 + HOUR) == Placement(home="b", detour="a")


def test_a_second_detour_takes_the_place_of_the_first(threads: Threads) -> None:
    served(threads, "b", 10)
    served(threads, "c", 20)
    assert at(threads, 20) == Placement(home="a", detour="c")


def test_half_an_hour_away_is_half_an_hour_in_however_many_places(threads: Threads) -> None:
    """The cache at home is as cold as if it had been one detour."""
    served(threads, "b", 0)
    served(threads, "c", 20 * MINUTE)
    assert at(threads, 31 * MINUTE) == Placement(home="c")


def test_a_thread_moves_at_once_when_its_home_may_not_return(threads: Threads) -> None:
    served(threads, "b", 10, home_may_return=False)
    assert at(threads, 10) == Placement(home="b")


def test_a_detour_becomes_the_home_at_once_when_the_home_may_not_return(threads: Threads) -> None:
    served(threads, "b", 10)
    served(threads, "b", 20, home_may_return=False)
    assert at(threads, 20) == Placement(home="b")


# --- the owner of a summary ------------------------------------------------------------------------------------------


def test_only_the_account_that_summarised_a_thread_owns_it(threads: Threads) -> None:
    assert threads.compacted("t", "a", NOW) is not None
    assert at(threads) == Placement(home="a", owner="a")
    assert at(threads, thread="another") == UNPLACED


def test_the_owner_survives_detours_moves_and_the_way_back(threads: Threads) -> None:
    threads.compacted("t", "a", NOW)
    served(threads, "b", 10)
    assert at(threads, 10) == Placement(home="a", detour="b", owner="a")
    assert at(threads, HOUR) == Placement(home="b", owner="a")
    served(threads, "b", HOUR)
    served(threads, "c", HOUR + 10, home_may_return=False)
    served(threads, "a", HOUR + 20)
    assert at(threads, HOUR + 20) == Placement(home="c", detour="a", owner="a")


def test_the_owner_is_the_last_one_that_summarised(threads: Threads) -> None:
    threads.compacted("t", "a", NOW)
    served(threads, "b", 10)
    threads.compacted("t", "b", NOW + 10)
    assert at(threads, 10) == Placement(home="a", detour="b", owner="b")


def test_a_thread_may_begin_with_its_summary() -> None:
    threads = Threads()
    assert threads.compacted("t", "a", NOW) == Affinity(thread="t", key="a", used_at=NOW, owner="a")
    assert at(threads) == Placement(home="a", owner="a")


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "known"), [(23.9, True), (24, False), (240, False)])
def test_a_thread_is_forgotten_a_day_after_its_last_use(threads: Threads, hours: float, known: bool) -> None:
    assert THREAD_SECONDS == DAY
    served(threads, "a")
    assert (at(threads, hours * HOUR) != UNPLACED) is known


def test_who_can_read_the_summary_is_not_forgotten_with_the_home(threads: Threads) -> None:
    """The thread may go on after days, and its history still holds what only that account can read."""
    threads.compacted("t", "a", NOW)
    assert at(threads, 9 * DAY) == Placement(owner="a")
    served(threads, "a", 9 * DAY)
    assert at(threads, 9 * DAY) == Placement(home="a", owner="a")


def test_a_use_puts_the_forgetting_off(threads: Threads) -> None:
    served(threads, "a", 23 * HOUR)
    assert at(threads, 46 * HOUR) == Placement(home="a")


def test_a_forgotten_thread_begins_anew(threads: Threads) -> None:
    served(threads, "a")
    served(threads, "b", 2 * DAY)
    assert at(threads, 2 * DAY) == Placement(home="b")


def test_the_thread_not_used_longest_makes_room() -> None:
    assert MOST_THREADS == 10_000
    threads = Threads()
    for number in range(MOST_THREADS):
        served(threads, "a", thread=f"{number}")
    served(threads, "a", thread="0")
    for thread in ("new", "newer"):
        served(threads, "a", thread=thread)
    assert len(threads) == MOST_THREADS
    assert [at(threads, thread=each) != UNPLACED for each in ("0", "1", "2", "3", "new", "newer")] == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]


# --- what is stored --------------------------------------------------------------------------------------------------


def test_what_has_to_be_stored_is_all_there_is_to_know() -> None:
    threads = Threads()
    told = [
        threads.served("t", "a", home_may_return=True, now=NOW),
        threads.compacted("t", "a", NOW + 1),
        threads.served("t", "b", home_may_return=True, now=NOW + 2),
        threads.served("t", "b", home_may_return=True, now=NOW + 3),
        threads.served("t", "c", home_may_return=False, now=NOW + 4),
    ]
    assert told == [
        Affinity(thread="t", key="a", used_at=NOW),
        Affinity(thread="t", key="a", used_at=NOW + 1, owner="a"),
        Affinity(thread="t", key="a", used_at=NOW + 2, detour="b", detoured_at=NOW + 2, owner="a"),
        None,
        Affinity(thread="t", key="c", used_at=NOW + 4, owner="a"),
    ]


@pytest.mark.parametrize("away", [False, True], ids=["at home", "on a detour"])
def test_a_busy_thread_is_stored_once_a_minute(threads: Threads, away: bool) -> None:
    assert REWRITE_SECONDS == MINUTE
    written = [second for second in range(1, 200) if served(threads, "b" if away else "a", second)]
    assert written == ([1, 62, 123, 184] if away else [61, 122, 183])


def test_whatever_changes_is_stored_at_once(threads: Threads) -> None:
    assert [
        served(threads, "a", 1),
        served(threads, "b", 2),
        served(threads, "c", 3),
        served(threads, "a", 4),
        served(threads, "b", 5, home_may_return=False),
        served(threads, "b", 6),
    ] == [False, True, True, True, True, False]


def test_a_second_summary_by_the_same_account_is_nothing_new(threads: Threads) -> None:
    assert threads.compacted("t", "a", NOW) is not None
    assert threads.compacted("t", "a", NOW + 9) is None
    assert threads.compacted("t", "b", NOW + 9) is not None


STEPS = st.lists(
    st.tuples(
        st.sampled_from("tu"), st.sampled_from("abc"), st.booleans(), st.booleans(), st.sampled_from([1, 59, 700, 1900])
    ),
    max_size=25,
)


@given(STEPS)
@settings(deadline=None)
def test_a_restart_at_any_moment_loses_nothing(steps: list[tuple[str, str, bool, bool, int]]) -> None:
    threads, stored, now = Threads(), dict[str, Affinity](), NOW
    for thread, key, home_may_return, compacts, seconds in steps:
        now += seconds
        told = [threads.served(thread, key, home_may_return=home_may_return, now=now)]
        if compacts:
            told.append(threads.compacted(thread, key, now))
        stored |= {each.thread: each for each in told if each is not None}
        again = Threads()
        again.load(sorted(stored.values(), key=lambda each: each.used_at))
        for name in "tu":
            assert again.place(name, now) == threads.place(name, now)
            assert again.place(name, now + HOUR) == threads.place(name, now + HOUR)


def test_a_thread_comes_back_from_the_disk_as_it_was(tmp_path: Path) -> None:
    a, b, path = key_of("a"), key_of("b"), tmp_path / "home" / "pool.db"
    threads = Threads()
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name)).result()
        for change in (
            threads.served("t", a, home_may_return=True, now=NOW),
            threads.compacted("t", a, NOW),
            threads.served("t", b, home_may_return=True, now=NOW + 10),
        ):
            assert change is not None
            store.save_affinity(change).result()
    again = Threads()
    with Store(path) as store:
        again.load(reversed(store.affinities(MOST_THREADS)))
    for seconds in (10, 10 + DETOUR_SECONDS, 10 + HOUR):
        assert at(again, seconds) == at(threads, seconds)
    assert (at(again, 10), at(again, HOUR)) == (Placement(home=a, detour=b, owner=a), Placement(home=b, owner=a))


@pytest.mark.parametrize(("seconds", "home"), [(-1, "a"), (0, "a"), (1, "b")])
def test_of_two_stories_about_a_thread_the_later_use_is_believed(threads: Threads, seconds: float, home: str) -> None:
    threads.load([Affinity(thread="t", key="b", used_at=NOW + seconds), Affinity(thread="u", key="b", used_at=NOW)])
    assert (at(threads, 1).home, at(threads, 1, "u").home) == (home, "b")


def test_loading_more_than_can_be_kept_keeps_the_latest() -> None:
    threads = Threads()
    threads.load(Affinity(thread=f"{n}", key="a", used_at=NOW + n / 1000) for n in range(MOST_THREADS + 2))
    assert len(threads) == MOST_THREADS
    assert [at(threads, 99, thread) == UNPLACED for thread in ("0", "1", "2")] == [True, True, False]


def test_what_another_proxy_used_long_ago_makes_no_room_for_itself() -> None:
    threads = Threads()
    for number in range(MOST_THREADS):
        served(threads, "a", thread=f"{number}")
    threads.load([Affinity(thread="old", key="a", used_at=NOW - HOUR)])
    assert (at(threads, thread="old"), at(threads, thread="0")) == (UNPLACED, Placement(home="a"))


def test_the_thread_of_a_sub_agent_begins_where_its_parent_is() -> None:
    threads = Threads()
    served(threads, "home", thread="parent")
    assert threads.place_near("parent", at(threads, thread="child"), NOW) == Placement(home="home")
    served(threads, "detour", thread="parent")
    assert threads.place_near("parent", at(threads, thread="child"), NOW) == Placement(home="detour")


def test_a_parent_changes_nothing_for_a_thread_that_lives_somewhere_or_whose_parent_is_unknown() -> None:
    threads = Threads()
    served(threads, "home", thread="parent")
    served(threads, "own", thread="child")
    assert threads.place_near("parent", at(threads, thread="child"), NOW) == at(threads, thread="child")
    assert threads.place_near("stranger", UNPLACED, NOW) == threads.place_near("", UNPLACED, NOW) == UNPLACED
