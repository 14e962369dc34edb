"""Where new threads go: what each strategy counts, and what it does not."""

import pytest

from accounts.choice.quota import Window
from accounts.choice.selection import Policy, Seat, Situation, Strategy, score
from accounts.choice.threads import Placement
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, about, chosen, key_of, rest, seat, window

HOURS_5 = 300 * 60.0


def week(used: float, resets_in: float | None = DAY) -> Window:
    return window(used, resets_in, minutes=WEEK_MINUTES)


def by(strategy: Strategy) -> Situation:
    return about(policy=Policy(strategy=strategy))


# --- balanced --------------------------------------------------------------------------------------------------------

BALANCED: dict[str, tuple[Seat, Seat]] = {
    "more left": (seat("b", windows=(window(40),)), seat("a", windows=(window(50),))),
    "more left of the scarcest window": (
        seat("b", windows=(window(60, None), week(60, None))),
        seat("a", windows=(window(0, None), week(70, None))),
    ),
    "the order of the windows does not matter": (
        seat("b", windows=(week(60, None), window(60, None))),
        seat("a", windows=(week(70, None), window(0, None))),
    ),
    "scarce is what has to last for long": (
        seat("b", windows=(window(90, HOURS_5 / 20), week(0, None))),
        seat("a", windows=(window(20, HOURS_5), week(0, None))),
    ),
    "another limit is not the account's own": (
        seat("b", windows=(window(10), window(100, family="images"))),
        seat("a", windows=(window(20),)),
    ),
    "nothing known is nothing used": (seat("b"), seat("a", windows=(window(10, None),))),
    "a window that was reset is free": (seat("b", windows=(window(94, -1),)), seat("a", windows=(window(10, None),))),
    "a larger plan": (seat("b", plan="pro"), seat("a", plan="plus")),
    "a larger plan, even when it is busier": (seat("b", plan="pro", in_flight=3), seat("a", plan="plus")),
    "nearly nothing of a large plan is less": (
        seat("b", plan="plus", windows=(window(10, None),)),
        seat("a", plan="pro", windows=(window(94, None),)),
    ),
    "a nearer reset between equals": (
        seat("b", windows=(window(50, HOUR),)),
        seat("a", windows=(window(50, 2 * HOUR),)),
    ),
    "a window that is all but over is no bargain without bounds": (
        seat("b", windows=(window(50, None),)),
        seat("a", windows=(window(98, 1),)),
    ),
    "fewer turns in flight": (seat("b", in_flight=1), seat("a", in_flight=2)),
    "turns in flight weigh by the size of the account": (
        seat("b", plan="pro", in_flight=8),
        seat("a", plan="plus", in_flight=1),
    ),
    "fewer threads that were just sent there": (seat("b", followed=1), seat("a", followed=2)),
}
"""What is better about the first account; the second one is older."""


@pytest.mark.parametrize("better", BALANCED)
def test_balanced_goes_where_most_is_left_for_one_more_thread(better: str) -> None:
    first, second = BALANCED[better]
    for seats in ((first, second), (second, first)):
        assert chosen(*seats, about=by(Strategy.BALANCED)) == "b"


def test_balanced_is_what_happens_unless_the_owner_says_otherwise() -> None:
    assert Policy().strategy is Strategy.BALANCED


@pytest.mark.parametrize(
    ("who", "points"),
    [
        (seat("a"), 1 / 2),
        (seat("a", plan="a plan of next year"), 1 / 2),
        (seat("a", plan="pro"), 10 / 11),
        (seat("a", plan="Pro"), 10 / 11),
        (seat("a", in_flight=1), 1 / 3),
        (seat("a", in_flight=2, followed=1), 1 / 5),
        (seat("a", plan="pro", in_flight=4), 2 / 3),
        (seat("a", windows=(window(25, None),)), 0.75 / 2),
        (seat("a", windows=(window(25, HOURS_5),)), 0.75 / 2),
        (seat("a", windows=(window(25, 2 * HOURS_5),)), 0.75 / 2),
        (seat("a", windows=(window(25, HOURS_5 / 2),)), 0.75),
        (seat("a", windows=(window(25, HOURS_5 / 10),)), 0.75 * 5),
        (seat("a", windows=(window(25, HOURS_5 / 100),)), 0.75 * 10),
        (seat("a", windows=(window(25, 0),)), 1 / 2),
        (seat("a", windows=(window(100, HOUR),)), 0.0),
        (seat("a", windows=(window(0, None), week(40, None))), 0.6 / 2),
        (seat("a", windows=(window(0, None), window(40, None, family="images"))), 1 / 2),
    ],
)
def test_what_an_account_has_to_give_is_its_scarcest_quota_for_the_time_left_shared_by_its_turns(
    who: Seat, points: float
) -> None:
    assert score(who, NOW) == pytest.approx(points)


# --- drain -----------------------------------------------------------------------------------------------------------

DRAIN: dict[str, tuple[Seat, Seat]] = {
    "sooner": (seat("b", windows=(week(50, DAY),)), seat("a", windows=(week(0, 2 * DAY),))),
    "sooner, however little is left": (seat("b", windows=(week(94, DAY),)), seat("a", windows=(week(0, 2 * DAY),))),
    "sooner, however busy": (seat("b", in_flight=9, windows=(week(0, DAY),)), seat("a", windows=(week(0, 2 * DAY),))),
    "known": (seat("b", windows=(week(50, 6 * DAY),)), seat("a")),
    "known, where the other reset is not": (
        seat("b", windows=(week(50, 6 * DAY),)),
        seat("a", windows=(week(50, None),)),
    ),
    "known, where the other reset is over": (
        seat("b", windows=(week(50, 6 * DAY),)),
        seat("a", windows=(week(50, -1),)),
    ),
    "another limit does not count": (
        seat("b", windows=(week(50, DAY),)),
        seat("a", windows=(week(0, 2 * DAY), window(0, HOUR, minutes=43_200, family="images"))),
    ),
    "the short window does not count": (
        seat("b", windows=(window(50, 4 * HOUR), week(50, DAY))),
        seat("a", windows=(window(50, HOUR), week(50, 2 * DAY))),
    ),
    "a week that ends before the short window does": (
        seat("b", windows=(window(50, 4 * HOUR), week(50, HOUR))),
        seat("a", windows=(window(50, HOUR), week(50, 2 * HOUR))),
    ),
    "a week that is over counts for nothing, whatever the short window says": (
        seat("b", windows=(window(50, 4 * HOUR), week(50, DAY))),
        seat("a", windows=(window(50, HOUR), week(50, -1))),
    ),
    "a plan with short windows only": (seat("b", windows=(window(50, HOUR),)), seat("a", windows=(week(50, DAY),))),
}
"""Whose longest window resets sooner: the first account's; the second one is older."""


@pytest.mark.parametrize("better", DRAIN)
def test_drain_uses_up_first_what_would_be_lost_first(better: str) -> None:
    first, second = DRAIN[better]
    for seats in ((first, second), (second, first)):
        assert chosen(*seats, about=by(Strategy.DRAIN)) == "b"


def test_drain_takes_the_oldest_of_those_of_whom_nothing_is_known() -> None:
    assert chosen(seat("b"), seat("a"), about=by(Strategy.DRAIN)) == "a"


# --- round robin -----------------------------------------------------------------------------------------------------


def test_round_robin_goes_to_the_one_whose_turn_is_longest_ago() -> None:
    seats = [seat("a", turn=7), seat("b", turn=5, in_flight=9, windows=(window(94),)), seat("c", turn=6, plan="pro")]
    assert chosen(*seats, about=by(Strategy.ROUND_ROBIN)) == "b"


def test_round_robin_begins_with_those_who_never_had_a_turn() -> None:
    seats = [seat("a", turn=1), seat("b"), seat("c")]
    assert chosen(*seats, about=by(Strategy.ROUND_ROBIN)) == "b"


# --- all of them -----------------------------------------------------------------------------------------------------

FAVOURITE = {
    Strategy.BALANCED: seat("b", plan="pro"),
    Strategy.DRAIN: seat("b", windows=(week(0, HOUR),)),
    Strategy.ROUND_ROBIN: seat("b", turn=0),
}
OTHER = {"plan": "plus", "turn": 1}


@pytest.mark.parametrize("strategy", Strategy)
def test_priority_comes_before_the_strategy(strategy: Strategy) -> None:
    favourite = FAVOURITE[strategy]
    assert chosen(favourite, seat("a", **OTHER), about=by(strategy)) == "b"
    assert chosen(favourite, seat("a", priority=1, **OTHER), about=by(strategy)) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_thread_is_at_home_whatever_the_strategy_says_of_new_ones(strategy: Strategy) -> None:
    at_home = about(Placement(home=key_of("a")), Policy(strategy=strategy))
    assert chosen(FAVOURITE[strategy], seat("a", **OTHER), about=at_home) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_steady_request_does_not_follow_the_strategy(strategy: Strategy) -> None:
    steady = about(policy=Policy(strategy=strategy), steady=True)
    assert chosen(FAVOURITE[strategy], seat("a", **OTHER), about=steady) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_pin_is_for_every_strategy(strategy: Strategy) -> None:
    pinned = about(policy=Policy(strategy=strategy, pin=key_of("a")))
    assert chosen(FAVOURITE[strategy], seat("a", priority=-1, **OTHER), about=pinned) == "a"
    spent = seat("a", cooldown=rest(), **OTHER)
    assert chosen(FAVOURITE[strategy], spent, about=by(strategy)) == "b"
