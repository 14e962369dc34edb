"""Who may not serve and why, and who of the others comes first and why.

The strategies have tests/accounts/test_strategies.py, nobody left test_exhausted.py, what holds for any pool
test_selection_rules.py.
"""

from dataclasses import replace
from typing import Any

from accounts.choice.outcomes import Kind
from accounts.choice.selection import (
    EXCLUSIONS,
    RAMP_THREADS,
    REASONS,
    RESIDENT_SECONDS,
    SHORT_SECONDS,
    Candidate,
    Excluded,
    Exclusion,
    Policy,
    Rank,
    Situation,
    barred,
    choose,
)
from accounts.choice.threads import UNPLACED, Placement
from accounts.model import Cooldown, Standing
from tests.builders import DAY, HOUR, NOW, about, candidate, chosen, key_of, rest, window
from tests.rows import all_rows

A, B = key_of("a"), key_of("b")
SOFT = Kind.SERVER_ERROR
MINE = Placement(home=A)


# --- who may not serve -----------------------------------------------------------------------------------------------

type Row = tuple[Exclusion, dict[str, Any], dict[str, Any], str, float | None]

BARRED: list[Row] = [
    # the bar, what is so with account a, what is so with the request or the pool, the words, until when
    (Exclusion.NEEDS_LOGIN, {"standing": Standing.NEEDS_LOGIN}, {}, "needs login", None),
    (Exclusion.DEACTIVATED, {"standing": Standing.DEACTIVATED}, {}, "deactivated", None),
    (Exclusion.PAUSED, {"enabled": False}, {}, "paused", None),
    (Exclusion.NO_TOKENS, {"has_tokens": False}, {}, "no tokens stored", None),
    (Exclusion.RESTING, {"cooldown": rest(60)}, {}, "resting (usage limit)", NOW + 60),
    (Exclusion.RESERVED, {"reserve_percent": 20, "windows": (window(80),)}, {}, "20 % are its owner's", NOW + HOUR),
    (Exclusion.MODEL, {"refuses": frozenset({"m"})}, {"model": "m"}, "m is not for its plan", None),
    (Exclusion.PIN, {}, {"policy": Policy(pin=B)}, "another account is pinned", None),
    (Exclusion.PIN, {}, {"pin": B}, "another account is pinned", None),
    (Exclusion.PIN, {}, {"pin": B, "policy": Policy(pin=A)}, "another account is pinned", None),
    (Exclusion.PERSON, {}, {"person": "ann", "only": frozenset({B})}, "not for ann", None),
    (Exclusion.PERSON, {"tags": ("x",)}, {"person": "ann", "only": frozenset({B, "#y"})}, "not for ann", None),
    (
        Exclusion.COMPACTION,
        {},
        {"place": Placement(owner=B)},
        "another account sealed this conversation's summary",
        None,
    ),
    (Exclusion.TRIED, {}, {"tried": frozenset({A})}, "already tried for this request", None),
]


def test_the_table_has_every_bar_in_its_order() -> None:
    assert list(dict.fromkeys(row[0] for row in BARRED)) == list(Exclusion)
    assert len(EXCLUSIONS) == len(Exclusion) - 1, "one check reads both kinds of standing"


@all_rows("row", BARRED, ids=lambda row: row[0])
def test_who_is_barred_why_and_until_when(row: Row) -> None:
    bar, with_account, beside, text, until = row
    situation = about(**beside)
    assert barred(candidate("a", **with_account), situation) == Excluded(bar=bar, text=text, until=until)
    assert barred(candidate("a"), about()) is None
    assert chosen(candidate("a", **with_account), candidate("b"), about=situation) == "b"


@all_rows("first", range(len(BARRED)))
def test_the_first_bar_that_fits_is_the_one_that_is_named(first: int) -> None:
    """Where all of the rows from this one on are so, this one is told."""
    with_account, beside = dict[str, Any](), dict[str, Any]()
    for _, one, other, *_ in reversed(BARRED[first:]):
        with_account |= one
        beside |= other
    found = barred(candidate("a", **with_account), about(**beside))
    assert found is not None
    assert found.bar is BARRED[first][0]


@all_rows(
    ("who", "situation"),
    [
        (candidate("a", cooldown=rest(60, SOFT)), about()),
        (candidate("a", cooldown=rest(0)), about()),
        (candidate("a", in_flight=100, followed=100), about()),
        (candidate("a"), about(policy=Policy(pin=A))),
        (candidate("a"), about(policy=Policy(pin=B), pin=A)),
        (candidate("a"), about(Placement(owner=A))),
        (candidate("a"), about(Placement(home=B))),
        (candidate("a"), about(Placement(owner=B), Policy(drop_compaction=True))),
        (candidate("a", windows=(window(99.6),)), about()),
        (candidate("a", windows=(window(100),)), about()),
        (candidate("a", windows=(window(79.9),), reserve_percent=20), about()),
        (candidate("a", windows=(window(100, family="images"),), reserve_percent=20), about()),
        (candidate("a", windows=(window(80),), reserve_percent=20), about(now=NOW + HOUR)),
        (candidate("a", reserve_percent=100), about()),
        (candidate("a", refuses=frozenset({"m"})), about(model="n")),
        (candidate("a", refuses=frozenset({"m"})), about()),
        (candidate("a", lists=frozenset({"m"})), about(model="n")),
        (candidate("a"), about(tried=frozenset({B}))),
    ],
    ids=[
        "a soft rest",
        "a rest that is over",
        "busy",
        "the pin itself",
        "the request's own pin",
        "the owner of the summary",
        "another one's thread",
        "the summary may be dropped",
        "99.6 percent is not exhausted",
        "only upstream says that it is exhausted",
        "below the reserve",
        "another limit is no reserve",
        "the reserved window was reset",
        "a reserve of what nobody has seen",
        "another model was refused",
        "a request without a model",
        "not in the catalogue",
        "another account was tried",
    ],
)
def test_what_does_not_bar(who: Candidate, situation: Situation) -> None:
    assert barred(who, situation) is None
    assert chosen(who, about=situation) == "a"


def test_the_smallest_reserve_is_a_reserve() -> None:
    found = barred(candidate("a", windows=(window(99),), reserve_percent=1), about())
    assert found is not None
    assert found.text == "1 % are its owner's"


def test_a_reserve_holds_until_the_last_window_that_reaches_into_it_is_reset() -> None:
    windows = (window(85, HOUR), window(90, 2 * DAY, minutes=10_080), window(10, 9 * DAY, minutes=43_200))
    found = barred(candidate("a", windows=windows, reserve_percent=20), about())
    assert found is not None
    assert found.until == NOW + 2 * DAY


# --- who comes first -------------------------------------------------------------------------------------------------

BETTER_AND_WORSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "failed": ({}, {}),  # the situation says who has failed the thread
    "tired": ({}, {"cooldown": rest(60, SOFT)}),
    "deferred": ({}, {"windows": (window(95),)}),
    "place": ({}, {}),  # the request says whose thread it is
    "unlisted": ({"lists": frozenset({"m", "n"})}, {"lists": frozenset({"n"})}),
    "priority": ({"priority": 1}, {"priority": 0}),
    "crowded": ({"followed": RAMP_THREADS - 1}, {"followed": RAMP_THREADS}),
    "strategy": ({"in_flight": 0}, {"in_flight": 99}),
    "added_at": ({"added_at": 1.0}, {"added_at": 2.0}),
    "key": ({}, {}),  # the names say whose is smaller
}
WHY = {
    "failed": "the others have just failed this thread",
    "tired": "the others have just failed",
    "deferred": "the others are close to their limits",
    "place": "the thread lives here",
    "unlisted": "the others do not list this model",
    "priority": "its priority is the highest",
    "crowded": "the others were just given threads whose own account failed",
    "strategy": "strategy: balanced",
    "added_at": "it is the oldest of equals",
    "key": "it is the first of equals",
}


def duel(field: str) -> tuple[Candidate, Candidate, Situation]:
    """Two accounts, alike in all that comes before this field: the first is better in it, and worse in all the rest."""
    at = Rank._fields.index(field)
    first, second = {"added_at": 1.0}, {"added_at": 1.0}
    for name in Rank._fields[at:]:
        better, worse = BETTER_AND_WORSE[name]
        first |= better if name == field else worse
        second |= worse if name == field else better
    names = ("a", "b") if field == "key" else ("b", "a")
    home = {"place": names[0]}.get(field, names[1] if at < Rank._fields.index("place") else "")
    place = Placement(home=key_of(home)) if home else UNPLACED
    situation = about(place, model="m")
    if field == "failed":
        situation = replace(situation, failed=frozenset({key_of(names[1]), key_of("z")}))
    return candidate(names[0], **first), candidate(names[1], **second), situation


def test_every_preference_is_in_the_tables() -> None:
    assert tuple(BETTER_AND_WORSE) == tuple(WHY) == tuple(REASONS) == Rank._fields


@all_rows("field", Rank._fields)
def test_each_preference_outweighs_everything_that_comes_after_it(field: str) -> None:
    winner, loser, situation = duel(field)
    assert chosen(winner, loser, about=situation) == winner.account.label
    assert chosen(loser, winner, about=situation) == winner.account.label


@all_rows("field", Rank._fields)
def test_the_reason_is_the_first_preference_in_which_the_two_best_differ(field: str) -> None:
    winner, loser, situation = duel(field)
    candidates = {
        each.account.key: each for each in (loser, winner, candidate("z", cooldown=rest(60, SOFT), added_at=9.0))
    }
    assert getattr(choose(candidates, situation), "why", None) == WHY[field]


def why(*candidates: Candidate, situation: Situation | None = None) -> str | None:
    return getattr(choose({each.account.key: each for each in candidates}, situation or about()), "why", None)


def test_the_reason_names_a_detour_as_one() -> None:
    place = Placement(home=B, detour=A)
    away = "the thread is here while its home is away"
    assert why(candidate("a"), candidate("b", cooldown=rest(60)), candidate("c"), situation=about(place)) == away
    assert why(candidate("a"), candidate("b"), candidate("c"), situation=about(place)) == "the thread lives here"


def test_the_only_account_that_can_serve_needs_no_other_reason() -> None:
    assert why(candidate("a")) == "it is the only one that can"
    assert why(candidate("a"), candidate("b", enabled=False)) == "it is the only one that can"


def test_a_thread_is_at_home_first_then_on_its_detour_then_anywhere() -> None:
    place = Placement(home=B, detour=key_of("c"))
    accounts = {name: candidate(name, priority=ord("c") - ord(name)) for name in "abc"}
    order = []
    while accounts:
        order.append(chosen(*accounts.values(), about=about(place)))
        del accounts[order[-1]]
    assert order == ["b", "c", "a"]


def test_a_home_that_is_gone_is_nobodys() -> None:
    assert (
        chosen(candidate("a"), candidate("b"), about=about(Placement(home=key_of("gone"), detour=key_of("gone-too"))))
        == "a"
    )


def test_a_thread_whose_home_has_just_failed_returns_to_it_when_all_others_have_too() -> None:
    assert chosen(*(candidate(name, cooldown=rest(60, SOFT)) for name in "ab"), about=about(Placement(home=B))) == "b"


STUMBLED = rest(SHORT_SECONDS - RESIDENT_SECONDS - 0.1, SOFT, age=RESIDENT_SECONDS + 0.1)


@all_rows(
    ("place", "cooldown", "best"),
    [
        (Placement(home=A), STUMBLED, "a"),
        (Placement(home=key_of("c"), detour=A), STUMBLED, "a"),
        (Placement(home=A), rest(9, SOFT, age=RESIDENT_SECONDS), "b"),
        (Placement(home=A), rest(SHORT_SECONDS - 9, SOFT, age=9.1), "b"),
        (Placement(home=A), rest(20, Kind.STALLED, age=10), "b"),
        (Placement(home=A), rest(60, Kind.PAYMENT_REQUIRED, age=59), "b"),
        (Placement(home=A), rest(60, Kind.BURST_LIMIT, age=59), "b"),
        (Placement(home=B), STUMBLED, "b"),
        (UNPLACED, STUMBLED, "b"),
    ],
    ids=[
        "home",
        "detour",
        "just now",
        "for a named time",
        "after a silence",
        "its own failure",
        "asked too often",
        "another one's thread",
        "a new thread",
    ],
)
def test_a_thread_keeps_away_for_a_moment_only_from_where_it_lives_when_upstream_stumbled_there(
    place: Placement, cooldown: Cooldown, best: str
) -> None:
    assert RESIDENT_SECONDS == 3
    assert chosen(candidate("a", cooldown=cooldown, priority=9), candidate("b"), about=about(place)) == best


@all_rows(
    ("used", "defer_percent", "waits"),
    [(94.9, 95.0, False), (95.0, 95.0, True), (99.6, 95.0, True), (95.0, 97.5, False), (50.0, 50.0, True)],
)
def test_an_account_close_to_its_limit_waits_behind_the_others(used: float, defer_percent: float, waits: bool) -> None:
    """Also behind those that are not a thread's home, and only until the window is reset."""
    low = candidate("a", windows=(window(used),), priority=9)
    policy = Policy(defer_percent=defer_percent)
    assert chosen(low, candidate("b"), about=about(MINE, policy)) == ("b" if waits else "a")
    assert chosen(low, candidate("b"), about=about(MINE, policy, now=NOW + HOUR)) == "a"


def test_an_account_close_to_its_limit_serves_when_nobody_else_can() -> None:
    low = candidate("a", windows=(window(99.6),))
    assert chosen(low) == "a"
    assert chosen(low, candidate("b", cooldown=rest())) == "a"
    assert chosen(low, candidate("b", cooldown=rest(60, SOFT))) == "a", "closeness is better than a fresh failure"


def test_another_limit_of_an_account_does_not_make_it_wait() -> None:
    assert chosen(candidate("a", windows=(window(100, family="images"),)), candidate("b")) == "a"


def test_a_steady_request_gets_the_same_account_whatever_is_going_on() -> None:
    """Of equal priority, the oldest: neither load nor quota nor the herd moves it."""
    steady = about(steady=True)
    busy = [candidate("a", in_flight=n, followed=9 * n, windows=(window(18.0 * n),)) for n in range(6)]
    assert {chosen(each, candidate("b"), about=steady) for each in busy} == {"a"}
    assert {chosen(each, candidate("b")) for each in busy} == {"a", "b"}


def test_a_catalogue_that_was_not_seen_says_nothing_against_an_account() -> None:
    assert chosen(candidate("a"), candidate("b", lists=frozenset({"m"})), about=about(model="m")) == "a"
    assert (
        chosen(candidate("a", lists=frozenset({"n"})), candidate("b", lists=frozenset({"n"})), about=about(model="m"))
        == "a"
    )
    assert chosen(candidate("a", lists=frozenset({"n"})), candidate("b"), about=about()) == "a"
