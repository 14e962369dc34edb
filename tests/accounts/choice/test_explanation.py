"""An explanation has every account: those that can serve first, in order, each with what was found of it."""

from accounts.choice.explanation import explain
from accounts.choice.selection import Candidate, Choice, Exclusion
from accounts.choice.threads import Placement
from tests.builders import about, account, key_of, rest


def test_every_account_is_told_of_in_the_order_of_preference() -> None:
    candidates = {
        key_of(name): Candidate(account=account(name, priority=priority), cooldown=resting)
        for name, priority, resting in (("a", 0, None), ("b", 5, None), ("c", 9, rest(60)))
    }
    told = explain(candidates, about())
    assert [each.candidate.account.label for each in told.assessments] == ["b", "a", "c"]
    assert [each.barred.bar if each.barred else None for each in told.assessments] == [None, None, Exclusion.RESTING]
    assert told.assessments[2].rank is None
    assert isinstance(told.choice, Choice)
    assert (told.choice.account.label, told.choice.why) == ("b", "its priority is the highest")


def test_a_thread_s_home_is_chosen_for_that_reason() -> None:
    candidates = {key_of(name): Candidate(account=account(name, priority=each)) for each, name in enumerate("ab")}
    told = explain(candidates, about(Placement(home=key_of("a"))))
    assert isinstance(told.choice, Choice)
    assert (told.choice.account.label, told.choice.why) == ("a", "the thread lives here")
