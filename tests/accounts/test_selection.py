"""Who serves: the thread's home when it can, else the best of the others, else the reason why nobody can."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import Account, Cooldown, Standing
from accounts.outcomes import RULES, Kind, Rest
from accounts.selection import Ask, Exhausted, Seat, barred, choose, resting
from tests.builders import NOW, account, key_of

HARD, SOFT = Kind.USAGE_LIMIT, Kind.SERVER_ERROR


def rest(kind: str = HARD, seconds: float = 60) -> Cooldown:
    return Cooldown(until=NOW + seconds, reason=kind, since=NOW - 1)


def seat(name: str, cooldown: Cooldown | None = None, in_flight: int = 0, **changes: Any) -> Seat:
    return Seat(account=account(name, **changes), cooldown=cooldown, in_flight=in_flight)


def chosen(*seats: Seat, home: str | None = None, ask: Ask | None = None) -> str | Exhausted:
    """The name of the account that is chosen."""
    answer = choose({s.account.key: s for s in seats}, key_of(home) if home else None, ask or Ask(), NOW)
    return answer.label if isinstance(answer, Account) else answer


@pytest.mark.parametrize("kind", Kind)
def test_a_rest_is_as_firm_as_the_rule_of_its_reason(kind: Kind) -> None:
    assert resting(rest(kind), NOW) is RULES[kind].rest


@pytest.mark.parametrize(
    ("cooldown", "firmness"),
    [
        (None, Rest.NONE),
        (rest("a_reason_of_a_newer_version"), Rest.HARD),
        (rest(seconds=0), Rest.NONE),
        (rest(seconds=-1), Rest.NONE),
        (rest(seconds=0.001), Rest.HARD),
        (rest("a_reason_of_a_newer_version", seconds=0), Rest.NONE),
    ],
)
def test_a_rest_ends_exactly_on_time_and_an_unknown_one_is_firm(cooldown: Cooldown | None, firmness: Rest) -> None:
    assert resting(cooldown, NOW) is firmness


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (seat("a"), ""),
        (seat("a", enabled=False), "paused"),
        (seat("a", standing=Standing.NEEDS_LOGIN), "needs login"),
        (seat("a", standing=Standing.DEACTIVATED), "deactivated"),
        (seat("a", rest(HARD)), "resting: usage_limit"),
        (seat("a", rest(SOFT)), ""),
        (seat("a", rest(HARD, seconds=0)), ""),
        (seat("a", in_flight=100), ""),
    ],
)
def test_who_is_barred_and_why(who: Seat, reason: str) -> None:
    assert barred(who, Ask(), NOW) == reason


def test_an_account_is_asked_once_per_request() -> None:
    ask = Ask(tried=frozenset({key_of("a")}))
    assert barred(seat("a"), ask, NOW)
    assert chosen(seat("a"), seat("b"), ask=ask) == "b"
    assert chosen(seat("a"), seat("b"), home="a", ask=ask) == "b"


@pytest.mark.parametrize(
    ("seats", "home", "best"),
    [
        # each row: the first account is preferred for one reason, against everything that comes later in the order
        ([seat("b", rest(SOFT)), seat("a", rest(HARD))], "a", "b"),
        ([seat("b"), seat("a", rest(SOFT), priority=9)], "a", "b"),
        ([seat("b", in_flight=5), seat("a", priority=9)], "b", "b"),
        ([seat("b", in_flight=5, priority=1), seat("a")], None, "b"),
        ([seat("b"), seat("a", in_flight=1)], None, "b"),
        ([seat("b", added_at=1.0), seat("a", added_at=2.0)], None, "b"),
        ([seat("a", added_at=1.0), seat("b", added_at=1.0)], None, "a"),
        ([seat("b", rest(SOFT)), seat("a", rest(SOFT))], "b", "b"),
        ([seat("a"), seat("b")], "somebody-removed", "a"),
    ],
    ids=["not barred", "rested", "home", "priority", "idle", "oldest", "key", "home among the tired", "home unknown"],
)
def test_the_order_of_preference(seats: list[Seat], home: str | None, best: str) -> None:
    assert chosen(*seats, home=home) == best
    assert chosen(*reversed(seats), home=home) == best


def test_a_steady_request_gets_the_same_account_whatever_is_in_flight() -> None:
    steady = Ask(steady=True)
    assert {chosen(seat("a", in_flight=n), seat("b"), ask=steady) for n in range(5)} == {"a"}


def test_an_empty_pool_has_nobody_and_no_time() -> None:
    assert chosen() == Exhausted()


def test_the_soonest_return_is_the_one_that_is_told() -> None:
    answer = chosen(seat("a", rest(HARD, 900), plan="pro"), seat("b", rest(HARD, 60), plan="plus"))
    assert answer == Exhausted(
        resets_at=NOW + 60,
        limited=True,
        plan="plus",
        reasons={"a": "resting: usage_limit", "b": "resting: usage_limit"},
    )


@pytest.mark.parametrize(
    "never",
    [
        seat("b", rest(HARD, 5), enabled=False),
        seat("b", rest(HARD, 5), standing=Standing.NEEDS_LOGIN),
        seat("b", rest(HARD, 5), standing=Standing.DEACTIVATED),
    ],
    ids=lambda s: f"{s.account.enabled}-{s.account.standing}",
)
def test_an_account_that_only_a_person_can_help_is_not_waited_for(never: Seat) -> None:
    alone, beside = chosen(never), chosen(never, seat("a", rest(HARD, 900)))
    assert isinstance(alone, Exhausted)
    assert isinstance(beside, Exhausted)
    assert (alone.resets_at, alone.limited) == (None, False)
    assert (beside.resets_at, beside.limited) == (NOW + 900, True)


def test_an_account_tried_and_found_at_its_limit_still_counts_as_resting() -> None:
    answer = chosen(seat("a", rest(HARD, 900)), ask=Ask(tried=frozenset({key_of("a")})))
    assert isinstance(answer, Exhausted)
    assert (answer.resets_at, answer.limited) == (NOW + 900, True)


def test_a_soft_rest_is_no_limit() -> None:
    answer = chosen(seat("a", rest(SOFT, 900)), ask=Ask(tried=frozenset({key_of("a")})))
    assert isinstance(answer, Exhausted)
    assert (answer.resets_at, answer.limited) == (None, False)


COOLDOWNS = st.none() | st.builds(
    Cooldown,
    until=st.floats(NOW - 100, NOW + 100),
    reason=st.sampled_from([*Kind, "unknown"]),
    since=st.just(NOW - 100),
)
SEATS = st.lists(
    st.builds(
        lambda name, standing, enabled, priority, cooldown, in_flight: Seat(
            account=account(name, standing=standing, enabled=enabled, priority=priority),
            cooldown=cooldown,
            in_flight=in_flight,
        ),
        st.sampled_from("abcdef"),
        st.sampled_from([Standing.GOOD, Standing.GOOD, *Standing]),
        st.integers(0, 3).map(bool),
        st.integers(-2, 2),
        COOLDOWNS,
        st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda s: s.account.key,
).map(lambda seats: {s.account.key: s for s in seats})
KEYS = st.sampled_from([key_of(name) for name in "abcdefg"])
ASKS = st.builds(Ask, steady=st.booleans(), tried=st.frozensets(KEYS, max_size=4))


@given(seats=SEATS, home=st.none() | KEYS, ask=ASKS)
@settings(deadline=None, max_examples=300)
def test_a_barred_account_is_never_chosen_and_a_free_one_never_passed_over(
    seats: dict[str, Seat], home: str | None, ask: Ask
) -> None:
    answer = choose(seats, home, ask, NOW)
    if isinstance(answer, Exhausted):
        assert all(barred(s, ask, NOW) for s in seats.values())
        assert answer.reasons == {s.account.label: barred(s, ask, NOW) for s in seats.values()}
        assert answer.limited == (answer.resets_at is not None)
        assert answer.resets_at is None or answer.resets_at > NOW
    else:
        assert not barred(seats[answer.key], ask, NOW)


@given(seats=SEATS, home=st.none() | KEYS, ask=ASKS)
@settings(deadline=None)
def test_a_tired_account_is_chosen_only_when_all_others_are_tired_or_barred(
    seats: dict[str, Seat], home: str | None, ask: Ask
) -> None:
    answer = choose(seats, home, ask, NOW)
    if isinstance(answer, Account) and resting(seats[answer.key].cooldown, NOW) is Rest.SOFT:
        assert all(barred(s, ask, NOW) or resting(s.cooldown, NOW) is Rest.SOFT for s in seats.values())


@given(seats=SEATS, home=st.none() | KEYS, ask=ASKS)
@settings(deadline=None)
def test_the_choice_does_not_depend_on_the_order_of_the_accounts(
    seats: dict[str, Seat], home: str | None, ask: Ask
) -> None:
    backwards = dict(reversed(seats.items()))
    answer, other = choose(seats, home, ask, NOW), choose(backwards, home, ask, NOW)
    if isinstance(answer, Exhausted):
        assert isinstance(other, Exhausted)
        assert replace(answer, plan="") == replace(other, plan="")
    else:
        assert answer == other
