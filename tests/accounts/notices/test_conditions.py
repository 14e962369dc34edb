"""What of a pool is worth a word."""

from typing import Any

from accounts.choice.selection import Candidate, Policy
from accounts.model import Credentials, Standing
from accounts.notices.conditions import (
    CERTIFICATE_SOON,
    LOGIN_SOON,
    SHORT_REST,
    ConditionName,
    FoundConditions,
    PoolLook,
    conditions,
)
from accounts.people.rules import Denial, PersonRule
from config.notify import NoticeKind
from tests.builders import DAY, HOUR, NOW, candidate, credentials, key_of, rest, window
from tests.rows import all_rows

MARKS = (20, 5)
DRY = ConditionName(NoticeKind.POOL_DRY)


def found(*candidates: Candidate, **more: Any) -> FoundConditions:
    logins = more.pop("logins", {each.account.key: credentials(each.account.label) for each in candidates})
    return conditions(PoolLook(candidates=candidates, logins=logins, **more), MARKS, NOW)


def kinds(seen: FoundConditions) -> list[str]:
    return [str(each.name.kind) for each in seen.holding]


def test_of_a_pool_that_is_well_there_is_nothing_to_say() -> None:
    seen = found(candidate("a", windows=(window(10),)), candidate("b"))
    assert seen.holding == ()
    assert seen.unsure == frozenset()
    assert seen.back is not None
    assert seen.back.text == "The pool serves again: 2 ready."


@all_rows(
    ("changes", "login", "expected"),
    [
        ({"standing": Standing.NEEDS_LOGIN, "standing_reason": "token_revoked"}, {}, ["login_needed"]),
        ({"has_tokens": False}, {}, ["login_needed"]),
        ({}, {"expires_at": NOW - 1, "ended": "cut_off"}, ["login_needed"]),
        ({}, {"expires_at": NOW + LOGIN_SOON, "ended": "cut_off"}, ["login_ends"]),
        ({}, {"expires_at": NOW + LOGIN_SOON + 1, "ended": "cut_off"}, []),
        ({}, {"expires_at": NOW + 60}, []),
        ({"standing": Standing.DEACTIVATED}, {}, []),
        ({"standing": Standing.NEEDS_LOGIN, "enabled": False}, {}, ["login_needed"]),
        ({"enabled": False}, {"expires_at": NOW - 1, "ended": "cut_off"}, []),
    ],
)
def test_logins_that_need_somebody(changes: Any, login: dict[str, Any], expected: list[str]) -> None:
    logins: dict[str, Credentials] = {key_of("a"): credentials("a", **login), key_of("b"): credentials("b")}
    assert kinds(found(candidate("a", **changes), candidate("b"), logins=logins)) == expected


def test_an_account_is_named_by_its_label_and_by_nothing_that_the_provider_calls_it() -> None:
    lost = candidate("a", label="work", email="ann@example.com", standing=Standing.NEEDS_LOGIN)
    (told,) = found(lost, candidate("b")).holding
    assert told.account == "work"
    assert told.text.startswith("work: needs login. Run `codex-rotate login`")
    assert not [word for word in ("ann@", "acct-", "user-a") if word in repr(told)]


@all_rows(
    ("rests", "expected", "unsure"),
    [
        ((HOUR, 2 * HOUR), True, False),
        ((SHORT_REST, 2 * HOUR), False, True),
        ((HOUR, 0), False, False),
    ],
)
def test_a_pool_is_dry_when_nobody_serves_for_longer_than_a_moment(
    rests: tuple[float, ...], expected: bool, unsure: bool
) -> None:
    seats = [candidate(name, cooldown=rest(each) if each else None) for name, each in zip("ab", rests, strict=True)]
    seen = found(*seats)
    assert (DRY in {each.name for each in seen.holding}, DRY in seen.unsure) == (expected, unsure)
    assert (seen.back is None) is (expected or unsure)


def test_a_dry_pool_says_when_somebody_is_back() -> None:
    (dry,) = found(candidate("a", cooldown=rest(HOUR)), candidate("b", cooldown=rest(2 * HOUR))).holding
    assert dry.until == NOW + HOUR
    assert dry.text.startswith("Nobody can serve before ")


def test_a_pool_without_accounts_is_as_it_was() -> None:
    seen = found()
    assert seen.holding == ()
    assert DRY in seen.unsure


@all_rows(
    ("used", "passed", "unsure"),
    [(77, [], []), (78.5, [], ["20"]), (80, ["20"], []), (94, ["20"], ["5"]), (95, ["20", "5"], [])],
)
def test_marks_of_what_is_left(used: float, passed: list[str], unsure: list[str]) -> None:
    """Two percent above a mark it is as it was before."""
    seen = found(candidate("a", windows=(window(used),)), policy=Policy(defer_percent=100))
    marks = [each.name.subject for each in seen.holding if each.name.kind is NoticeKind.POOL_LEFT]
    wavering = sorted(each.subject for each in seen.unsure if each.kind is NoticeKind.POOL_LEFT)
    assert (marks, wavering) == (passed, unsure)


def test_how_much_is_left_is_not_known_of_accounts_that_nobody_has_used() -> None:
    """A look that knows nothing ends nothing."""
    seen = found(candidate("a"))
    assert seen.holding == ()
    assert {each.subject for each in seen.unsure} == {"20", "5"}


def test_a_person_over_a_budget_is_told_once_for_each_period() -> None:
    def name(rule: PersonRule, until: float | None) -> ConditionName:
        denial = Denial(rule=rule, sentence="ann has used the 2M tokens of today", until=until)
        (told,) = found(candidate("a", windows=(window(1),)), over={"ann": denial}).holding
        assert (told.text, told.person) == ("ann has used the 2M tokens of today.", "ann")
        return told.name

    assert name(PersonRule.TOKENS, NOW) != name(PersonRule.TOKENS, NOW + DAY)
    assert name(PersonRule.SHARE, NOW) == name(PersonRule.SHARE, NOW + 3)


@all_rows(("ends", "expected"), [(CERTIFICATE_SOON, ["certificate_ends"]), (CERTIFICATE_SOON + 1, []), (None, [])])
def test_a_certificate_that_ends_soon(ends: float | None, expected: list[str]) -> None:
    ends_at = None if ends is None else NOW + ends
    assert kinds(found(candidate("a", windows=(window(1),)), certificate_ends=ends_at)) == expected
