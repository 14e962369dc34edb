"""What an account is doing, by the rules that choose: one state for each situation, and everybody's words for it."""

import pytest

from accounts.choice.outcomes import Kind
from accounts.choice.quota import MAIN
from accounts.choice.selection import EXCLUSIONS, Exclusion, Exhausted, Policy, choose
from accounts.choice.threads import Placement
from accounts.model import Standing
from accounts.states import AccountState, State, counted, in_words, named, tell, tell_all
from tests.builders import HOUR, NOW, about, account, candidate, credentials, key_of, rest, window
from tests.rows import all_rows

A, B = key_of("a"), key_of("b")
WEEK = 7 * 24 * 60

TABLE = [
    ("ready", {}, {}, State.READY, None, "ready"),
    ("paused", {"enabled": False}, {}, State.PAUSED, None, "paused"),
    ("signed out", {"standing": Standing.NEEDS_LOGIN}, {}, State.NEEDS_LOGIN, None, "needs login"),
    ("closed", {"standing": Standing.DEACTIVATED}, {}, State.CLOSED, None, "closed by provider"),
    ("without tokens", {"has_tokens": False}, {}, State.NO_LOGIN, None, "no login stored"),
    ("at a limit", {"cooldown": rest(60)}, {}, State.RESTING, NOW + 60, "resting until 17:01 (usage limit)"),
    ("at a limit until just now", {"cooldown": rest(0)}, {}, State.READY, None, "ready"),
    ("after a failure", {"cooldown": rest(9, Kind.SERVER_ERROR)}, {}, State.RESTING, NOW + 9, "resting until 17:00"),
    ("used up", {"windows": (window(100),)}, {}, State.SPENT, NOW + HOUR, "spent until 18:00 (5h)"),
    (
        "used up twice",
        {"windows": (window(100, 9 * HOUR, minutes=WEEK), window(100))},
        {},
        State.SPENT,
        NOW + 9 * HOUR,
        "spent until Sat 02:00 (5h and 7d)",
    ),
    ("nearly used up", {"windows": (window(95),)}, {}, State.NEARLY_SPENT, NOW + HOUR, "nearly spent until 18:00 (5h)"),
    ("just below", {"windows": (window(94.9),)}, {}, State.READY, None, "ready"),
    ("used up before the reset", {"windows": (window(100, -1),)}, {}, State.READY, None, "ready"),
    ("used up elsewhere", {"windows": (window(100, family="gpt-x"),)}, {}, State.READY, None, "ready"),
    (
        "as the owner wants it",
        {"windows": (window(50),)},
        {"policy": Policy(defer_percent=50)},
        State.NEARLY_SPENT,
        NOW + HOUR,
        "nearly spent until 18:00 (5h)",
    ),
    (
        "kept",
        {"reserve_percent": 20, "windows": (window(80),)},
        {},
        State.RESERVED,
        NOW + HOUR,
        "kept for its owner until 18:00",
    ),
    ("not the pin", {}, {"policy": Policy(pin=B)}, State.PASSED_OVER, None, "another account is pinned"),
    ("the pin", {}, {"policy": Policy(pin=A)}, State.READY, None, "ready"),
    ("not for the model", {"refuses": frozenset({"m"})}, {"model": "m"}, State.WITHOUT_MODEL, None, "m is not for its"),
    ("not theirs", {}, {"person": "ann", "only": frozenset({B})}, State.NOT_THEIRS, None, "not for ann"),
    ("theirs", {"tags": ("x",)}, {"person": "ann", "only": frozenset({"#x"})}, State.READY, None, "ready"),
    ("a stranger's past", {}, {"place": Placement(owner=B)}, State.CANNOT_READ, None, "another account sealed"),
    ("tried", {}, {"tried": frozenset({A})}, State.TRIED, None, "already tried for this request"),
]

OWN = [row for row in TABLE if row[3] is not State.PASSED_OVER]
"""What is about the account and not about another one."""


@pytest.fixture(autouse=True)
def _in_tokyo(in_tokyo: None) -> None:
    """NOW is 2027-01-15 17:00 there, a Friday."""


@all_rows("row", TABLE, ids=[row[0] for row in TABLE])
def test_every_situation_has_one_state(row: tuple) -> None:
    _, with_account, beside, state, until, words = row
    told = tell(candidate("a", **with_account), about(**beside))
    assert (told.state, told.until) == (state, until)
    assert in_words(told, NOW).startswith(words)


@all_rows("row", TABLE, ids=[row[0] for row in TABLE])
def test_what_is_told_is_what_selection_does(row: tuple) -> None:
    """An account that is told as kept from serving is never chosen, and one that is not is."""
    _, with_account, beside, *_ = row
    found, situation = candidate("a", **with_account), about(**beside)
    assert isinstance(choose({A: found}, situation), Exhausted) is tell(found, situation).barred


@all_rows("row", OWN, ids=[row[0] for row in OWN])
def test_only_what_is_ready_is_as_good_as_another(row: tuple) -> None:
    """Whatever is told as anything but ready is behind an account that is, and what is ready need not be."""
    _, with_account, beside, state, *_ = row
    situation = about(**{**beside, "policy": Policy(defer_percent=beside.get("policy", Policy()).defer_percent)})
    found = candidate("a", priority=1, **with_account)
    answer = choose({A: found, B: candidate("b")}, situation)
    assert not isinstance(answer, Exhausted)
    assert (answer.account.label == "a") is (state is State.READY)


def test_every_bar_has_a_state() -> None:
    """A new reason to pass an account over is told by all commands as soon as it is in EXCLUSIONS."""
    assert len(EXCLUSIONS) == len(Exclusion) - 1
    assert {row[3] for row in TABLE} == set(State) - {State.LOGIN_ENDED}


@all_rows(
    ("fields", "state"),
    [
        ({"standing": Standing.NEEDS_LOGIN, "enabled": False, "cooldown": rest(60)}, State.NEEDS_LOGIN),
        ({"enabled": False, "cooldown": rest(60), "windows": (window(100),)}, State.PAUSED),
        ({"cooldown": rest(60), "windows": (window(100),), "reserve_percent": 5}, State.RESTING),
        ({"cooldown": rest(60, Kind.SERVER_ERROR), "windows": (window(100),)}, State.RESTING),
        ({"windows": (window(100),), "reserve_percent": 5}, State.RESERVED),
    ],
)
def test_what_only_the_owner_can_mend_comes_first(fields: dict, state: State) -> None:
    """And the account's own trouble before that of the request."""
    assert tell(candidate("a", **fields), about(policy=Policy(pin=B))).state is (
        state if fields.get("cooldown", rest()).reason != Kind.SERVER_ERROR else State.PASSED_OVER
    )


@all_rows(
    ("refresh", "expires_in", "state", "words"),
    [
        ("r", 60, State.READY, "ready"),
        ("r", -1, State.READY, "ready (its token is renewed first)"),
        ("", 60, State.READY, "serves until 17:01, then needs a login"),
        ("", -1, State.LOGIN_ENDED, "login has ended"),
    ],
)
def test_a_token_that_is_over(refresh: str, expires_in: float, state: State, words: str) -> None:
    """One that can be renewed costs a moment, one that cannot the account. Without the login nothing is said of it."""
    login = credentials(refresh=refresh, expires_at=NOW + expires_in)
    told = tell(candidate("a"), about(), login)
    assert (told.state, in_words(told, NOW)) == (state, words)
    assert told.serves is (state is State.READY)
    assert tell(candidate("a"), about()).state is State.READY


def test_a_login_that_cannot_be_renewed_is_told_with_its_end() -> None:
    """For programs as the end and the reason of being ready, and behind every other state that passes."""
    login = credentials(ended="refresh_token_reused", expires_at=NOW + 60)
    told = tell(candidate("a"), about(), login)
    assert (told.state, told.until, told.reason, told.serves) == (State.READY, NOW + 60, "login_ends", True)
    rests = tell(candidate("a", cooldown=rest(30)), about(), login)
    assert in_words(rests, NOW) == "resting until 17:00 (usage limit); needs a login from 17:01 on"
    paused = tell(candidate("a", enabled=False), about(), login)
    assert in_words(paused, NOW) == "paused"
    over = tell(candidate("a"), about(), credentials(ended="cut_off", expires_at=NOW))
    assert in_words(over, NOW) == "login has ended (the answer to its last renewal was lost)"
    assert not over.serves


def test_why_an_account_is_marked_is_told_where_it_is_known() -> None:
    marked = candidate("a", standing=Standing.NEEDS_LOGIN, standing_reason="token_revoked")
    assert in_words(tell(marked, about()), NOW) == "needs login (the provider said token_revoked)"
    closed = candidate("a", standing=Standing.DEACTIVATED, standing_reason="deactivated_workspace")
    assert in_words(tell(closed, about()), NOW) == "closed by provider (the provider said deactivated_workspace)"


def test_what_has_a_chance() -> None:
    """A spent account is asked when nobody else is left, but nobody should count on it; one that is nearly spent, or
    rests for a moment, does serve."""
    spent, nearly = candidate("a", windows=(window(100),)), candidate("a", windows=(window(99),))
    soft = candidate("a", cooldown=rest(9, Kind.SERVER_ERROR))
    assert [tell(each, about()).serves for each in (spent, nearly, soft)] == [False, True, True]


def test_when_nothing_keeps_it_any_more() -> None:
    """Of several reasons the last one to end counts; with one that does not end there is no such time."""
    kept = candidate("a", cooldown=rest(60), reserve_percent=20, windows=(window(80),))
    assert (tell(kept, about()).until, tell(kept, about()).back) == (NOW + 60, NOW + HOUR)
    assert tell(kept, about(policy=Policy(pin=B))).back is None
    assert tell(candidate("a", windows=(window(100),)), about()).back == NOW + HOUR
    assert tell(candidate("a", windows=(window(96),)), about()).back is None


def test_all_accounts_at_once() -> None:
    candidates = {A: candidate("a"), B: candidate("b")}
    found = tell_all(candidates, about(), {B: credentials("b", refresh="", expires_at=NOW - 1)})
    assert {key: each.state for key, each in found.items()} == {A: State.READY, B: State.LOGIN_ENDED}


def test_words_alone() -> None:
    """For where there is no room for more; a reason is words too."""
    assert (named(State.SPENT), named(State.NEARLY_SPENT), named(State.CLOSED)) == (
        "spent",
        "nearly spent",
        "closed by provider",
    )
    assert in_words(AccountState(State.RESTING, NOW + 60, "usage_limit_reached"), NOW) == (
        "resting until 17:01 (usage limit reached)"
    )
    assert in_words(AccountState(State.RESTING, NOW + 60), NOW) == "resting until 17:01"


def test_another_limit_of_the_account_is_not_its_own() -> None:
    """Selection looks at MAIN alone, and so do the windows that are named."""
    found = candidate("a", windows=(window(100), window(100, family="gpt-x", minutes=60)))
    assert found.windows[0].family == MAIN
    assert tell(found, about()).reason == "5h"
    assert account("a").key == A


def test_states_are_counted_in_one_order() -> None:
    counts = {State.PAUSED: 1, State.READY: 2, State.PASSED_OVER: 1, State.RESTING: 0}
    assert counted(counts) == "2 ready, 1 passed over, 1 paused"
    assert counted({}) == ""
