"""In a large pool the few that are compared are the right ones: the choice is that of comparing them all."""

import random
from dataclasses import replace

from accounts.choice.ordering import LASTS, MOST_CHANGED, SMALL, Ordering
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask, Candidate, Exhausted, Policy, Situation, Strategy, rank
from accounts.model import Standing
from tests.builders import NOW, Stored, about, account, key_of, lease_of, pool_of, rest, window
from tests.rows import all_rows

MANY = 60


def mixed(chance: random.Random) -> Pool:
    """A pool in which a bit of everything is the matter with somebody."""
    names = [f"a{number:02}" for number in range(MANY)]
    candidates = [account(name, priority=chance.choice((0, 0, 1)), enabled=chance.random() > 0.1) for name in names]
    rests = {key_of(name): rest(chance.choice((-5, 30, 300))) for name in names if chance.random() < 0.3}
    windows = {key_of(name): (window(chance.uniform(0, 100), chance.uniform(60, 9000)),) for name in names}
    return pool_of(*candidates, rests=rests, seen=windows)


@all_rows("seed", range(8))
@all_rows("strategy", list(Strategy))
def test_it_is_as_if_all_had_been_compared(seed: int, strategy: Strategy) -> None:
    """Whatever happens in between, within a moment: threads that stay, accounts that fail, models that are refused."""
    chance = random.Random(seed)
    pool = mixed(chance)
    pool.policy = Policy(strategy=strategy)
    for step in range(60):
        ask = Ask(
            thread=f"t{chance.randrange(8)}" if chance.random() < 0.8 else "",
            model=chance.choice(("", "big")),
            steady=chance.random() < 0.1,
            pin=key_of("a07") if chance.random() < 0.05 else "",
            tried=frozenset(key_of(f"a{chance.randrange(MANY):02}") for _ in range(chance.randrange(3))),
        )
        now = NOW + step / 1e6  # the order is worked out anew every second; here it has to last
        taken, all_of_them = pool.select(ask, now), pool.explain(ask, now).choice
        if isinstance(taken, Exhausted):
            assert isinstance(all_of_them, Exhausted)
            continue
        assert not isinstance(all_of_them, Exhausted)
        assert (taken.key, taken.why) == (all_of_them.account.key, all_of_them.why)
        pool.enter(taken, now)
        kind = chance.choice((Kind.OK, Kind.OK, Kind.USAGE_LIMIT, Kind.SERVER_ERROR, Kind.UNSUPPORTED_MODEL))
        pool.report(taken, Outcome(kind=kind), now)
        pool.observed(taken.key, (window(chance.uniform(0, 100), 600),))
        if chance.random() < 0.7:
            pool.leave(taken.key)


def candidates_of(number: int) -> dict[str, Candidate]:
    return {
        key_of(f"a{each:03}"): Candidate(account=account(f"a{each:03}", added_at=float(each))) for each in range(number)
    }


def few(ordering: Ordering, candidates: dict[str, Candidate], about: Situation) -> set[str]:
    return set(ordering.front(candidates, about, ())[0])


def test_only_a_few_are_compared() -> None:
    candidates = candidates_of(1000)
    assert len(few(Ordering(), candidates, about())) == 2


def test_of_a_handful_all_are_compared() -> None:
    candidates = candidates_of(SMALL)
    assert few(Ordering(), candidates, about()) == candidates.keys()


def test_accounts_that_cannot_serve_are_skipped() -> None:
    candidates = candidates_of(100)
    for key in list(candidates)[:90]:
        candidates[key] = replace(
            candidates[key], account=replace(candidates[key].account, standing=Standing.NEEDS_LOGIN)
        )
    assert few(Ordering(), candidates, about()) == set(list(candidates)[90:92])


def test_what_has_changed_is_compared_until_the_order_is_worked_out_anew() -> None:
    candidates, ordering = candidates_of(100), Ordering()
    keys = list(candidates)
    few(ordering, candidates, about())
    ordering.change(keys[50])
    assert keys[50] in few(ordering, candidates, about())
    assert keys[50] not in few(ordering, candidates, about(now=NOW + LASTS))


def test_what_has_not_changed_has_its_rank_already() -> None:
    candidates, ordering = candidates_of(100), Ordering()
    first, second, *_ = keys = list(candidates)
    ordering.change(keys[50])
    assert ordering.front(candidates, about(), [first])[1] == {
        key: rank(candidates[key], about()) for key in (second, keys[2])
    }


def test_many_changes_are_a_reason_to_work_it_out() -> None:
    candidates, ordering = candidates_of(200), Ordering()
    few(ordering, candidates, about())
    for key in list(candidates)[: MOST_CHANGED + 1]:
        ordering.change(key)
    few(ordering, candidates, about())
    assert len(few(ordering, candidates, about())) == 2


def test_another_policy_is_another_order() -> None:
    candidates, ordering = candidates_of(100), Ordering()
    last = list(candidates)[-1]
    candidates[last] = replace(candidates[last], windows=(window(1, 60, minutes=300),))
    few(ordering, candidates, about(policy=Policy(strategy=Strategy.ROUND_ROBIN)))
    assert last in few(ordering, candidates, about(policy=Policy(strategy=Strategy.DRAIN)))


def test_an_account_that_is_gone_is_not_asked_for() -> None:
    pool = pool_of(*(f"a{number:02}" for number in range(40)))
    pool.report(lease_of(pool, "a00"), Outcome(kind=Kind.SERVER_ERROR), NOW)
    pool.select(Ask(thread="t"), NOW)
    pool.load(Stored(tuple(account(f"a{number:02}") for number in range(1, 40))))
    assert pool.select(Ask(thread="t"), NOW).key == key_of("a01")  # type: ignore[union-attr]
