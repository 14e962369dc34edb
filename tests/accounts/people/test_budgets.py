"""Budgets are read as people write them, begin anew with the calendar of the owner's zone, and say when."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.people.budgets import (
    BadBudget,
    Budgets,
    Limit,
    Measure,
    Period,
    PoolShare,
    Sums,
    Used,
    begin_of,
    end_of,
    judge,
    read_at_once,
    read_limits,
    read_share,
    shortened,
)
from accounts.people.people import Person
from accounts.people.rules import PersonRule

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe")]
"""One in the middle, one with half an hour, one whose clocks change at midnight, one that changes by half an hour."""


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


NOON = at("2027-01-15 12:00")
"""A Friday."""


# --- how they are written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2M/day", [(2_000_000, Period.DAY)]),
        (" 1.5k / Week ", [(1_500, Period.WEEK)]),
        ("200/d", [(200, Period.DAY)]),
        ("7/hours", [(7, Period.HOUR)]),
        ("1g/month,100k/h", [(10**9, Period.MONTH), (100_000, Period.HOUR)]),
        ("none", []),
    ],
)
def test_a_limit_is_so_much_in_a_period(text: str, found: list[tuple[int, Period]]) -> None:
    assert [(each.amount, each.period) for each in read_limits(Measure.TOKENS, text)] == found


NO_BUDGETS = [
    *("2M", "day", "2M/year", "-1/day", "0/day", "0.4/day", "1.5/day", "2T/day", "1e9/day", "9999G/day", "٣/day", ""),
    *("1/day,2/day", "1/day,", "NaN/day", "1 M M/day", "9999999999999999999999999/day"),
]


@pytest.mark.parametrize("text", NO_BUDGETS)
def test_what_is_no_budget_is_refused_with_what_to_say(text: str) -> None:
    with pytest.raises(BadBudget) as told:
        read_limits(Measure.TURNS, text)
    assert any(word in str(told.value) for word in ("200/day", "none", "pause", "Say one"))


@pytest.mark.parametrize(("text", "share"), [("30%", 30), ("100 %", 100), ("1", 1), ("none", 0)])
def test_a_share_is_a_percentage(text: str, share: int) -> None:
    assert read_share(text) == share


@pytest.mark.parametrize("text", ["0", "101%", "-5%", "30.5%", "a third", ""])
def test_a_share_of_nothing_or_of_more_than_all_is_none(text: str) -> None:
    with pytest.raises(BadBudget):
        read_share(text)


def test_turns_at_once() -> None:
    assert (read_at_once("4"), read_at_once(" 1000 "), read_at_once("none")) == (4, 1000, 0)
    for text in ("0", "-1", "1001", "many", "1.5", ""):
        with pytest.raises(BadBudget):
            read_at_once(text)


@given(number=st.integers(1, 10**12))
def test_a_number_in_few_characters_is_exact(number: int) -> None:
    (limit,) = read_limits(Measure.TOKENS, f"{shortened(number)}/day")
    assert limit.amount == number


# --- periods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        (Period.HOUR, "2027-01-15 12:00", "2027-01-15 13:00"),
        (Period.DAY, "2027-01-15 00:00", "2027-01-16 00:00"),
        (Period.WEEK, "2027-01-11 00:00", "2027-01-18 00:00"),
        (Period.MONTH, "2027-01-01 00:00", "2027-02-01 00:00"),
    ],
)
def test_a_period_is_one_of_the_owners_calendar(period: Period, begin: str, end: str) -> None:
    now = at("2027-01-15 12:34")
    assert (begin_of(period, now, BERLIN), end_of(period, now, BERLIN)) == (at(begin), at(end))


def test_the_day_on_which_clocks_change_is_shorter_or_longer() -> None:
    for day, hours in (("2027-03-28 12:00", 23), ("2027-10-31 12:00", 25)):
        assert end_of(Period.DAY, at(day), BERLIN) - begin_of(Period.DAY, at(day), BERLIN) == hours * 3600


@given(
    now=st.floats(-1e15, 1e15) | st.floats(1.7e9, 2.1e9), period=st.sampled_from(Period), zone=st.sampled_from(ZONES)
)
def test_whatever_the_clock_says_now_is_within_a_period_of_bounded_length(
    now: float, period: Period, zone: ZoneInfo
) -> None:
    begin, end = begin_of(period, now, zone), end_of(period, now, zone)
    assert begin < end
    assert end - begin <= 32 * 86_400
    if 0 < now < 2e11:
        assert begin <= now < end
        assert begin_of(period, begin, zone) == begin or period is Period.HOUR


# --- judging ---------------------------------------------------------------------------------------------------------


def ann(tokens: str = "none", turns: str = "none", **more: object) -> Person:
    limits = read_limits(Measure.TOKENS, tokens) + read_limits(Measure.TURNS, turns)
    return Person(name="ann", budgets=Budgets(limits=limits, **more))  # type: ignore[arg-type]


def used(**sums: tuple[int, int]) -> Used:
    return Used(sums={Period(name): Sums(*each) for name, each in sums.items()})


@pytest.mark.parametrize(
    ("person", "spent", "sentence"),
    [
        (ann("2M/day"), used(day=(1_999_999, 9)), ""),
        (
            ann("2M/day"),
            used(day=(2_000_000, 9)),
            "ann has used the 2M tokens of today; more at 00:00 Europe/Berlin",
        ),
        (
            ann(turns="200/hour"),
            used(hour=(0, 250)),
            "ann has used the 200 turns of this hour; more at 13:00 Europe/Berlin",
        ),
        (
            ann("5M/week"),
            used(week=(5_000_001, 0)),
            "ann has used the 5M tokens of this week; more on Mon 00:00 Europe/Berlin",
        ),
        (
            ann("5M/month"),
            used(month=(5_000_001, 0)),
            "ann has used the 5M tokens of this month; more on 2027-02-01 00:00 Europe/Berlin",
        ),
        (ann(), used(day=(10**12, 10**6)), ""),
        (ann("2M/day"), used(), ""),
    ],
)
def test_over_a_budget_is_told_with_its_rule_and_its_end(person: Person, spent: Used, sentence: str) -> None:
    denial = judge(person, spent, NOON, BERLIN)
    assert (denial.sentence if denial else "") == sentence


def test_of_several_budgets_that_are_used_up_the_one_is_told_that_ends_last() -> None:
    denial = judge(ann("1/hour,1/month", "1/day"), used(hour=(1, 1), day=(1, 1), month=(1, 1)), NOON, BERLIN)
    assert denial is not None
    assert (denial.rule, denial.until) == (PersonRule.TOKENS, at("2027-02-01 00:00"))


def test_a_share_of_the_pool() -> None:
    person = ann(share=30)
    week = PoolShare(29.9, 10_080, NOON + 3600)
    assert judge(person, Used(share=week), NOON, BERLIN) is None
    denial = judge(person, Used(share=week._replace(percent=30.0)), NOON, BERLIN)
    assert denial is not None
    assert denial.sentence == "ann has used their 30 % of the pool's weekly limit; more at 13:00 Europe/Berlin"
    unknown = judge(person, Used(share=PoolShare(90.0, 300, None)), NOON, BERLIN)
    assert unknown is not None
    assert unknown.sentence.endswith("5-hour limit")


def test_a_zone_without_a_name_is_told_by_its_offset() -> None:
    denial = judge(ann("1/day"), used(day=(1, 1)), NOON, timezone(timedelta(hours=2)))
    assert denial is not None
    assert denial.sentence.endswith("more at 00:00 UTC+02:00")


def test_a_limit_is_shown_as_it_can_be_typed() -> None:
    assert str(Limit(measure=Measure.TOKENS, amount=2_500_000, period=Period.DAY)) == "2.5M/day"
