"""What is told when nobody can serve, and what an explanation shows."""

from typing import Any

import pytest

from accounts.choice.explanation import explain
from accounts.choice.outcomes import Kind
from accounts.choice.selection import Ask, Candidate, Exhausted, Policy, Situation
from accounts.choice.threads import Placement
from accounts.model import Standing
from tests.builders import DAY, HOUR, NOW, about, candidate, key_of, nobody, rest, window
from tests.rows import all_rows

A = key_of("a")
SOFT = Kind.SERVER_ERROR


# --- nobody ----------------------------------------------------------------------------------------------------------


def test_an_empty_pool_has_nobody_and_no_time() -> None:
    assert nobody() == Exhausted()


def told(*candidates: Candidate, situation: Situation | None = None) -> tuple[float | None, bool, str, str]:
    """When somebody returns (seconds from now), whether upstream's limits are the reason, whose plan, which rule."""
    answer = nobody(*candidates, about=situation)
    seconds = None if answer.resets_at is None else answer.resets_at - NOW
    return seconds, answer.limited, answer.plan, answer.rule


SPENT = candidate("a", cooldown=rest(900), plan="pro")
KEPT = candidate("b", windows=(window(90),), reserve_percent=20, plan="plus")


@all_rows(
    ("candidates", "situation", "expected"),
    [
        ([SPENT], about(), (900, True, "pro", "")),
        ([SPENT, candidate("b", cooldown=rest(60), plan="plus")], about(), (60, True, "plus", "")),
        ([SPENT, candidate("b", enabled=False)], about(), (900, True, "pro", "")),
        ([SPENT, candidate("b", cooldown=rest(5), enabled=False)], about(), (900, True, "pro", "")),
        ([SPENT, candidate("b", cooldown=rest(5), standing=Standing.NEEDS_LOGIN)], about(), (900, True, "pro", "")),
        ([SPENT, candidate("b", cooldown=rest(5), standing=Standing.DEACTIVATED)], about(), (900, True, "pro", "")),
        ([SPENT], about(tried=frozenset({A})), (900, True, "pro", "")),
        ([candidate("a", cooldown=rest(900, SOFT))], about(tried=frozenset({A})), (None, False, "", "")),
        ([candidate("a", enabled=False)], about(), (None, False, "", "")),
        ([SPENT, candidate("b", cooldown=rest(950))], about(policy=Policy(pin=A)), (900, True, "pro", "")),
        ([SPENT, candidate("b", cooldown=rest(950))], about(Placement(home=A, owner=A)), (900, True, "pro", "")),
        ([KEPT], about(), (HOUR, False, "plus", "reserved")),
        ([SPENT, KEPT], about(), (900, True, "pro", "reserved")),
        ([SPENT, candidate("b")], about(policy=Policy(pin=A)), (900, True, "pro", "pinned")),
        ([candidate("a", enabled=False), candidate("b")], about(policy=Policy(pin=A)), (None, False, "", "pinned")),
        ([candidate("a"), candidate("b")], about(policy=Policy(pin="gone:gone")), (None, False, "", "pinned")),
        ([SPENT, candidate("b")], about(Placement(home=A, owner=A)), (900, True, "pro", "compaction")),
        ([candidate("a", refuses=frozenset({"m"}))], about(model="m"), (None, False, "", "model")),
        ([SPENT, candidate("b", refuses=frozenset({"m"}))], about(model="m"), (900, True, "pro", "")),
    ],
    ids=[
        "at its limit",
        "the soonest",
        "the other one is paused",
        "a pause is not waited for",
        "a login is not waited for",
        "a closed account is not waited for",
        "tried, and at its limit",
        "tried, and only tired",
        "paused",
        "all are at their limits, the pinned one too",
        "all are at their limits, the owner of the summary too",
        "reserved",
        "at its limit beside a reserve",
        "the pinned one is at its limit",
        "the pinned one is paused",
        "the pinned one is gone",
        "the owner of the summary is at its limit",
        "the model is for nobody",
        "at its limit beside one without the model",
    ],
)
def test_what_is_told_when_nobody_can_serve(
    candidates: list[Candidate], situation: Situation, expected: tuple[float | None, bool, str, str]
) -> None:
    assert told(*candidates, situation=situation) == expected
    assert told(*reversed(candidates), situation=situation) == expected


def test_every_account_has_its_reason() -> None:
    answer = nobody(SPENT, candidate("b", enabled=False), candidate("c"), about=about(tried=frozenset({key_of("c")})))
    assert answer.reasons == {"a": "resting (usage limit)", "b": "paused", "c": "already tried for this request"}


@pytest.mark.parametrize(
    ("candidates", "rule"),
    [
        ([candidate("a", cooldown=rest(), enabled=False)], ""),
        ([candidate("a", cooldown=rest(), standing=Standing.NEEDS_LOGIN)], ""),
        ([candidate("a", cooldown=rest(), enabled=False), candidate("b", refuses=frozenset({"m"}))], "model"),
    ],
    ids=["paused", "needs login", "beside one without the model"],
)
def test_the_limit_of_an_account_that_is_out_anyway_is_no_limit_of_the_pool(
    candidates: list[Candidate], rule: str
) -> None:
    assert told(*candidates, situation=about(model="m")) == (None, False, "", rule)


@pytest.mark.parametrize(
    ("changes", "situation"),
    [
        ({"windows": (window(90, DAY),), "reserve_percent": 20}, about()),
        ({"refuses": frozenset({"m"})}, about(model="m")),
    ],
    ids=["reserved", "model"],
)
def test_an_account_is_not_waited_for_that_cannot_serve_after_its_rest(
    changes: dict[str, Any], situation: Situation
) -> None:
    early = candidate("b", cooldown=rest(60), **changes)
    assert told(SPENT, early, situation=situation)[0] == 900


# --- explaining ------------------------------------------------------------------------------------------------------


def test_an_explanation_has_every_account_the_best_first_and_those_who_are_out_by_name() -> None:
    candidates = [
        candidate("d", enabled=False),
        candidate("c", cooldown=rest()),
        candidate("b"),
        candidate("a", in_flight=1),
    ]
    situation = about()
    explanation = explain({each.account.key: each for each in candidates}, situation)
    assert [each.candidate.account.label for each in explanation.assessments] == ["b", "a", "c", "d"]
    assert [each.barred.text if each.barred else "" for each in explanation.assessments] == [
        "",
        "",
        "resting (usage limit)",
        "paused",
    ]
    assert [each.rank is None for each in explanation.assessments] == [False, False, True, True]
    assert [each.score for each in explanation.assessments] == [
        pytest.approx(each) for each in (1 / 2, 1 / 3, 1 / 2, 1 / 2)
    ]


def test_an_explanation_of_an_empty_pool_is_empty() -> None:
    explanation = explain({}, Situation(now=NOW, ask=Ask()))
    assert (explanation.choice, explanation.assessments) == (Exhausted(), ())
