"""A simulated day is one that could happen: everybody is answered once, and nobody serves who cannot."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from accounts.choice.outcomes import Kind
from accounts.choice.quota import PLAN_WEIGHT
from accounts.choice.selection import Policy, Strategy
from benchmarks import week
from benchmarks.week import Scenario, Week, conversations, measured, shared

DAY = Scenario(seed=3, days=1, warm_up=0, developers=12)
TIGHT = replace(DAY, load=4.0)
"""More than a day's share of the week: what ends first are the 5-hour windows."""
ALIKE = tuple(replace(each, plan="plus") for each in DAY.seats)
CALM = replace(DAY, load=0.1, faults=False, seats=ALIKE)
"""Nothing that moves a thread, on accounts of which none is always the best."""


@pytest.fixture(scope="module", params=Strategy)
def tight(request: pytest.FixtureRequest) -> Week:
    """A day with limits and faults."""
    return Week(TIGHT, Policy(strategy=request.param)).run()


def test_the_tight_day_has_everything(tight: Week) -> None:
    """The tests below look at something."""
    assert {each.end for each in tight.requests} >= {"served", "refused"}
    assert {each.outcome.kind for each in tight.tries} >= {Kind.OK, Kind.USAGE_LIMIT, Kind.OVERLOADED}


def test_every_turn_is_answered_exactly_once(tight: Week) -> None:
    planned = [(first.thread, nth) for first in conversations(TIGHT) for nth in range(len(first.steps))]
    answered = Counter((each.thread, each.nth) for each in tight.requests)
    assert answered == Counter(planned)
    assert {each.end for each in tight.requests} <= {"served", "refused", "failed"}
    assert sum(each.end == "served" for each in tight.requests) == sum(each.cost > 0 for each in tight.tries)


def test_nothing_is_in_flight_in_the_end(tight: Week) -> None:
    assert [tight.pool.in_flight(key) for key in tight.pool.candidates] == [0] * len(TIGHT.seats)


def test_a_full_window_serves_nobody(tight: Week) -> None:
    assert max(each.used for each in tight.tries if each.cost) < 100


def test_an_account_at_its_limit_is_not_asked_before_its_reset(tight: Week) -> None:
    for limit in (each for each in tight.tries if each.outcome.kind is Kind.USAGE_LIMIT):
        assert limit.outcome.until is not None
        assert not [
            each for each in tight.tries if each.key == limit.key and limit.ended <= each.began < limit.outcome.until
        ]


def test_a_paused_account_is_never_asked() -> None:
    paused, *others = TIGHT.seats
    tries = Week(replace(DAY, seats=(replace(paused, enabled=False), *others)), Policy()).run().tries
    assert {each.key for each in tries} == {each.key for each in others}


@pytest.mark.parametrize("strategy", Strategy)
def test_without_limits_and_faults_a_thread_stays_where_it_is(strategy: Strategy) -> None:
    day = Week(CALM, Policy(strategy=strategy)).run()
    accounts = Counter(thread for thread, _ in {(each.thread, each.key) for each in day.tries})
    assert set(accounts.values()) == {1}
    assert {each.end for each in day.requests} == {"served"}
    assert len(day.tries) == len(day.requests)


def test_the_same_seed_is_the_same_week() -> None:
    one, again, other = (measured(replace(DAY, seed=seed), Policy()) for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_the_numbers_add_up() -> None:
    found = measured(TIGHT, Policy(pin=TIGHT.seats[0].key))
    assert found["turns"] == sum(len(first.steps) for first in conversations(TIGHT))
    assert found["refused %"] == pytest.approx(100 * found["refused"] / found["turns"])
    assert (found["least used %"], found["switches per thread"]) == (0, 0)
    share = PLAN_WEIGHT["pro"] / sum(PLAN_WEIGHT[each.plan] for each in TIGHT.seats)
    assert found["used %"] == pytest.approx(found["most used %"] * share)


def test_the_work_is_what_the_load_says() -> None:
    """Whatever the developers happen to do: `load` times what the accounts give in that time."""
    costs = [step.cost for first in conversations(TIGHT) for step in first.steps]
    assert sum(costs) == pytest.approx(TIGHT.load * sum(PLAN_WEIGHT[each.plan] for each in TIGHT.seats) / 7)


@pytest.mark.parametrize("as_json", [False, True])
def test_every_strategy_is_in_the_table(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(week, "measured", lambda _scenario, policy: {"refused %": 1.234 if policy.pin else 0})
    monkeypatch.setattr("sys.argv", ["week", *["--json"] * as_json])
    week.main()
    printed = capsys.readouterr().out
    if as_json:
        assert json.loads(printed) == {
            **{str(each): {"refused %": 0} for each in Strategy},
            "pinned": {"refused %": 1.234},
        }
    else:
        assert [line.split() for line in printed.splitlines()[2:]] == [
            *([each, "0"] for each in Strategy),
            ["pinned", "1.23"],
        ]


def test_with_fair_share_those_who_ask_for_less_are_served_more_often_and_nothing_is_wasted() -> None:
    """Three of twelve ask for most of it, and there is not enough for all."""
    scenario = replace(DAY, load=3.0, heavy=3, seats=DAY.seats[1:3])
    first_come, fair = (shared(scenario, fair=each) for each in (False, True))
    assert fair["light: not served %"] < 0.7 * first_come["light: not served %"]
    assert fair["heavy: waited s"] > fair["light: waited s"] > first_come["light: waited s"] == 0
    assert fair["used %"] > 0.98 * first_come["used %"]


def test_people_are_shown_with_and_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(week, "shared", lambda _scenario, *, fair: {"waited s": 2.0 if fair else 0})
    monkeypatch.setattr("sys.argv", ["week", "--people", "--json"])
    week.main()
    assert json.loads(capsys.readouterr().out) == {"first come": {"waited s": 0}, "fair share": {"waited s": 2.0}}
