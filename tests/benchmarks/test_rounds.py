"""Cases take turns, and every work is done with its own."""

import gc

from benchmarks.cases import DIRECT, OURS, PLAIN, ROTATING, THOUSAND
from benchmarks.rounds import Plan, chosen, turned, undisturbed
from benchmarks.trials import TRIALS
from benchmarks.works import WORKS


def test_everybody_is_first_in_turn():
    assert [turned("abc", number)[0] for number in range(6)] == list("abcabc")
    assert turned("abc", 4) == ["b", "c", "a"]
    assert turned((), 3) == []


def test_works_and_trials_are_chosen_by_part_of_their_name():
    works, trials = chosen(["websocket turns, 1", "SELECTION"])
    assert [work.name for work in works] == ["WebSocket turns, 1 socket"]
    assert [trial.name for trial in trials] == ["selection"]
    assert chosen([]) == (WORKS, TRIALS)
    assert chosen(["no such thing"]) == ((), ())


def test_only_needed_proxies_are_started():
    works, _ = chosen(["one rotation"])
    assert [case.name for case in Plan(rounds=1, works=works).needed] == [ROTATING]
    assert Plan(rounds=1, works=works, cases=frozenset({PLAIN})).needed == ()
    few = Plan(rounds=1, cases=frozenset({DIRECT, OURS}))
    assert {case.name for case in few.needed} == {DIRECT, OURS}
    assert THOUSAND in {case.name for case in Plan(rounds=1).needed}


def test_garbage_is_collected_again_afterwards():
    with undisturbed():
        assert not gc.isenabled()
    assert gc.isenabled()
