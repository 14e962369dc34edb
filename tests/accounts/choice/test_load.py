"""What is under way on which account is counted, and forgotten in time."""

from accounts.choice.load import PATIENCE_SECONDS, Load
from accounts.choice.selection import RAMP_SECONDS
from tests.builders import NOW


def test_turns_are_counted_until_they_end() -> None:
    load = Load()
    assert load.is_empty
    for key in "aab":
        load.begin(key)
    load.end("a")
    load.end("b")
    assert (load.in_flight("a"), load.in_flight("b"), set(load.busy)) == (1, 0, {"a"})


def test_an_end_too_many_takes_nothing_from_the_next_turn() -> None:
    load = Load()
    load.end("a")
    load.begin("a")
    assert load.in_flight("a") == 1


def test_threads_that_come_from_elsewhere_count_for_a_while_and_each_once() -> None:
    load = Load()
    for thread in ("t", "t", "u"):
        load.follow("a", thread, NOW)
    assert load.followed(NOW + RAMP_SECONDS - 1) == {"a": 2}
    assert not load.is_empty
    assert not load.followed(NOW + RAMP_SECONDS)
    assert load.is_empty


def test_turns_have_numbers_that_rise() -> None:
    load = Load()
    assert [load.next_turn() for _ in range(3)] == [1, 2, 3]


def test_a_moment_of_patience_is_given_once_and_earned_anew() -> None:
    load = Load()
    load.pace("a", "t", NOW)
    assert not load.may_pace("a", "t", NOW + PATIENCE_SECONDS - 1)
    assert load.may_pace("a", "t", NOW + PATIENCE_SECONDS)
    assert load.may_pace("a", "u", NOW)
    load.earned("a", "t")
    assert load.may_pace("a", "t", NOW)


def test_patience_takes_bounded_memory() -> None:
    load = Load()
    for number in range(100):
        load.pace("a", f"{number}", NOW + number)
    assert len(load._paced) <= PATIENCE_SECONDS
