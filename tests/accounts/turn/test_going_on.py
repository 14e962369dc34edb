"""When a refusal is believed that several accounts have given alike. How often others are asked: test_state.py."""

import pytest

from accounts.turn import steps
from tests.builders import NOW, account, begun, key_of, model_refused, pool_of, turn_on


@pytest.mark.parametrize("model", ["m", ""])
@pytest.mark.parametrize(("words", "step"), [("400 model_not_found", steps.Deliver), ("404", steps.Attempt)])
def test_a_model_that_two_accounts_are_refused_in_the_same_words_is_nobodys(
    model: str, words: str, step: type[steps.Step]
) -> None:
    turn = turn_on("abcd", model=model, thread="t")
    assert begun(turn).account.label == "a"
    assert isinstance(turn.next(model_refused("400 model_not_found"), NOW), steps.Attempt)
    assert isinstance(turn.next(model_refused(words), NOW), step)


def test_unless_one_is_left_that_lists_it() -> None:
    turn = turn_on("abcd", model="m")
    turn.pool.models.lists.learned(key_of("d"), [{"slug": "m"}], NOW)
    turn.pool.models.lists.learned(key_of("a"), [{"slug": "n"}], NOW)
    asked = [begun(turn)]
    for _ in range(3):
        step = turn.next(model_refused("404"), NOW)
        if isinstance(step, steps.Attempt):
            asked.append(step.lease)
    assert asked[-1].account.label == "d"


def test_nor_while_one_is_left_with_another_plan() -> None:
    """What one plan has not, another one may have."""
    plans = {"a": "free", "b": "free", "c": "pro", "d": "free"}
    seats = (account(name, plan=plan, priority=-n) for n, (name, plan) in enumerate(plans.items()))
    turn = turn_on(pool_of(*seats), model="m")
    asked = [begun(turn).account.label]
    while isinstance(step := turn.next(model_refused("404"), NOW), steps.Attempt):
        asked.append(step.lease.account.label)
    assert asked == ["a", "b", "c"]


def test_and_for_a_moment_one_more_is_enough_for_the_thread() -> None:
    first = turn_on("abcd", model="m", thread="t")
    begun(first)
    for _ in range(2):
        last = first.next(model_refused("404"), NOW)
    assert isinstance(last, steps.Deliver)
    for model, attempts in (("m", 1), ("n", 2)):
        turn = turn_on(first.pool, model=model, thread="t")
        begun(turn)
        for _ in range(attempts):
            last = turn.next(model_refused("404"), NOW + 1)
        assert isinstance(last, steps.Deliver)
