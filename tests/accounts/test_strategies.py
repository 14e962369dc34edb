"""Where new threads go: what each strategy counts, and what it does not."""

import pytest

from accounts.choice.quota import Window
from accounts.choice.selection import Candidate, Policy, Situation, Strategy, score
from accounts.choice.threads import Placement
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, about, candidate, chosen, key_of, rest, window
from tests.rows import all_rows

HOURS_5 = 300 * 60.0


def week(used: float, resets_in: float | None = DAY) -> Window:
    return window(used, resets_in, minutes=WEEK_MINUTES)


def by(strategy: Strategy) -> Situation:
    return about(policy=Policy(strategy=strategy))


# --- balanced --------------------------------------------------------------------------------------------------------

BALANCED: dict[str, tuple[Candidate, Candidate]] = {
    "more left": (candidate("b", windows=(window(40),)), candidate("a", windows=(window(50),))),
    "more left of the scarcest window": (
        candidate("b", windows=(window(60, None), week(60, None))),
        candidate("a", windows=(window(0, None), week(70, None))),
    ),
    "the order of the windows does not matter": (
        candidate("b", windows=(week(60, None), window(60, None))),
        candidate("a", windows=(week(70, None), window(0, None))),
    ),
    "scarce is what has to last for long": (
        candidate("b", windows=(window(90, HOURS_5 / 20), week(0, None))),
        candidate("a", windows=(window(20, HOURS_5), week(0, None))),
    ),
    "another limit is not the account's own": (
        candidate("b", windows=(window(10), window(100, family="images"))),
        candidate("a", windows=(window(20),)),
    ),
    "nothing known is nothing used": (candidate("b"), candidate("a", windows=(window(10, None),))),
    "a window that was reset is free": (
        candidate("b", windows=(window(94, -1),)),
        candidate("a", windows=(window(10, None),)),
    ),
    "a larger plan": (candidate("b", plan="pro"), candidate("a", plan="plus")),
    "a larger plan, even when it is busier": (candidate("b", plan="pro", in_flight=3), candidate("a", plan="plus")),
    "nearly nothing of a large plan is less": (
        candidate("b", plan="plus", windows=(window(10, None),)),
        candidate("a", plan="pro", windows=(window(94, None),)),
    ),
    "a nearer reset between equals": (
        candidate("b", windows=(window(50, HOUR),)),
        candidate("a", windows=(window(50, 2 * HOUR),)),
    ),
    "a window that is all but over is no bargain without bounds": (
        candidate("b", windows=(window(50, None),)),
        candidate("a", windows=(window(98, 1),)),
    ),
    "fewer turns in flight": (candidate("b", in_flight=1), candidate("a", in_flight=2)),
    "turns in flight weigh by the size of the account": (
        candidate("b", plan="pro", in_flight=8),
        candidate("a", plan="plus", in_flight=1),
    ),
    "fewer threads that were just sent there": (candidate("b", followed=1), candidate("a", followed=2)),
}
"""What is better about the first account; the second one is older."""


@all_rows("better", BALANCED)
def test_balanced_goes_where_most_is_left_for_one_more_thread(better: str) -> None:
    first, second = BALANCED[better]
    for candidates in ((first, second), (second, first)):
        assert chosen(*candidates, about=by(Strategy.BALANCED)) == "b"


def test_balanced_is_what_happens_unless_the_owner_says_otherwise() -> None:
    assert Policy().strategy is Strategy.BALANCED


@all_rows(
    ("who", "points"),
    [
        (candidate("a"), 1 / 2),
        (candidate("a", plan="a plan of next year"), 1 / 2),
        (candidate("a", plan="pro"), 10 / 11),
        (candidate("a", plan="Pro"), 10 / 11),
        (candidate("a", in_flight=1), 1 / 3),
        (candidate("a", in_flight=2, followed=1), 1 / 5),
        (candidate("a", plan="pro", in_flight=4), 2 / 3),
        (candidate("a", windows=(window(25, None),)), 0.75 / 2),
        (candidate("a", windows=(window(25, HOURS_5),)), 0.75 / 2),
        (candidate("a", windows=(window(25, 2 * HOURS_5),)), 0.75 / 2),
        (candidate("a", windows=(window(25, HOURS_5 / 2),)), 0.75),
        (candidate("a", windows=(window(25, HOURS_5 / 10),)), 0.75 * 5),
        (candidate("a", windows=(window(25, HOURS_5 / 100),)), 0.75 * 10),
        (candidate("a", windows=(window(25, 0),)), 1 / 2),
        (candidate("a", windows=(window(100, HOUR),)), 0.0),
        (candidate("a", windows=(window(0, None), week(40, None))), 0.6 / 2),
        (candidate("a", windows=(window(0, None), window(40, None, family="images"))), 1 / 2),
    ],
)
def test_what_an_account_has_to_give_is_its_scarcest_quota_for_the_time_left_shared_by_its_turns(
    who: Candidate, points: float
) -> None:
    assert score(who, NOW) == pytest.approx(points)


# --- drain -----------------------------------------------------------------------------------------------------------

DRAIN: dict[str, tuple[Candidate, Candidate]] = {
    "sooner": (candidate("b", windows=(week(50, DAY),)), candidate("a", windows=(week(0, 2 * DAY),))),
    "sooner, however little is left": (
        candidate("b", windows=(week(94, DAY),)),
        candidate("a", windows=(week(0, 2 * DAY),)),
    ),
    "sooner, however busy": (
        candidate("b", in_flight=9, windows=(week(0, DAY),)),
        candidate("a", windows=(week(0, 2 * DAY),)),
    ),
    "known": (candidate("b", windows=(week(50, 6 * DAY),)), candidate("a")),
    "known, where the other reset is not": (
        candidate("b", windows=(week(50, 6 * DAY),)),
        candidate("a", windows=(week(50, None),)),
    ),
    "known, where the other reset is over": (
        candidate("b", windows=(week(50, 6 * DAY),)),
        candidate("a", windows=(week(50, -1),)),
    ),
    "another limit does not count": (
        candidate("b", windows=(week(50, DAY),)),
        candidate("a", windows=(week(0, 2 * DAY), window(0, HOUR, minutes=43_200, family="images"))),
    ),
    "the short window does not count": (
        candidate("b", windows=(window(50, 4 * HOUR), week(50, DAY))),
        candidate("a", windows=(window(50, HOUR), week(50, 2 * DAY))),
    ),
    "a week that ends before the short window does": (
        candidate("b", windows=(window(50, 4 * HOUR), week(50, HOUR))),
        candidate("a", windows=(window(50, HOUR), week(50, 2 * HOUR))),
    ),
    "a week that is over counts for nothing, whatever the short window says": (
        candidate("b", windows=(window(50, 4 * HOUR), week(50, DAY))),
        candidate("a", windows=(window(50, HOUR), week(50, -1))),
    ),
    "a plan with short windows only": (
        candidate("b", windows=(window(50, HOUR),)),
        candidate("a", windows=(week(50, DAY),)),
    ),
}
"""Whose longest window resets sooner: the first account's; the second one is older."""


@all_rows("better", DRAIN)
def test_drain_uses_up_first_what_would_be_lost_first(better: str) -> None:
    first, second = DRAIN[better]
    for candidates in ((first, second), (second, first)):
        assert chosen(*candidates, about=by(Strategy.DRAIN)) == "b"


def test_drain_takes_the_oldest_of_those_of_whom_nothing_is_known() -> None:
    assert chosen(candidate("b"), candidate("a"), about=by(Strategy.DRAIN)) == "a"


# --- round robin -----------------------------------------------------------------------------------------------------


def test_round_robin_goes_to_the_one_whose_turn_is_longest_ago() -> None:
    candidates = [
        candidate("a", turn=7),
        candidate("b", turn=5, in_flight=9, windows=(window(94),)),
        candidate("c", turn=6, plan="pro"),
    ]
    assert chosen(*candidates, about=by(Strategy.ROUND_ROBIN)) == "b"


def test_round_robin_begins_with_those_who_never_had_a_turn() -> None:
    candidates = [candidate("a", turn=1), candidate("b"), candidate("c")]
    assert chosen(*candidates, about=by(Strategy.ROUND_ROBIN)) == "b"


# --- all of them -----------------------------------------------------------------------------------------------------

FAVOURITE = {
    Strategy.BALANCED: candidate("b", plan="pro"),
    Strategy.DRAIN: candidate("b", windows=(week(0, HOUR),)),
    Strategy.ROUND_ROBIN: candidate("b", turn=0),
}
OTHER = {"plan": "plus", "turn": 1}


@pytest.mark.parametrize("strategy", Strategy)
def test_priority_comes_before_the_strategy(strategy: Strategy) -> None:
    favourite = FAVOURITE[strategy]
    assert chosen(favourite, candidate("a", **OTHER), about=by(strategy)) == "b"
    assert chosen(favourite, candidate("a", priority=1, **OTHER), about=by(strategy)) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_thread_is_at_home_whatever_the_strategy_says_of_new_ones(strategy: Strategy) -> None:
    at_home = about(Placement(home=key_of("a")), Policy(strategy=strategy))
    assert chosen(FAVOURITE[strategy], candidate("a", **OTHER), about=at_home) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_steady_request_does_not_follow_the_strategy(strategy: Strategy) -> None:
    steady = about(policy=Policy(strategy=strategy), steady=True)
    assert chosen(FAVOURITE[strategy], candidate("a", **OTHER), about=steady) == "a"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_pin_is_for_every_strategy(strategy: Strategy) -> None:
    pinned = about(policy=Policy(strategy=strategy, pin=key_of("a")))
    assert chosen(FAVOURITE[strategy], candidate("a", priority=-1, **OTHER), about=pinned) == "a"
    spent = candidate("a", cooldown=rest(), **OTHER)
    assert chosen(FAVOURITE[strategy], spent, about=by(strategy)) == "b"
