"""Which account the threads of a pool go to: home, away, back, and not all at once to the same one."""

from collections import Counter
from pathlib import Path

import pytest

from accounts.choice.outcomes import RULES, Kind, Outcome, Rest
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import RAMP_SECONDS, RAMP_THREADS, Ask, Exhausted, Policy, Strategy
from accounts.choice.threads import THREAD_SECONDS, UNPLACED, Placement
from accounts.model import Affinity
from accounts.requests.foreign_reasoning import ReadingContext
from accounts.store.store import Store
from tests.builders import HOUR, NOW, ListJournal, Stored, account, credentials, key_of, lease_of, pool_of
from tests.rows import all_rows

A, B, C = (key_of(name) for name in "abc")
OK = Outcome(kind=Kind.OK)
HARD, SOFT = Kind.USAGE_LIMIT, Kind.SERVER_ERROR


def serve(pool: Pool, name: str, outcome: Outcome = OK, now: float = NOW, thread: str = "t") -> None:
    """An attempt on this account and what came of it."""
    pool.report(lease_of(pool, name, now, thread), outcome, now)


def taken(pool: Pool, thread: str, now: float = NOW) -> Lease:
    lease = pool.select(Ask(thread=thread), now)
    assert isinstance(lease, Lease), lease
    return lease


def next_for(pool: Pool, thread: str, now: float = NOW) -> str:
    return taken(pool, thread, now).account.label


# --- home and away ---------------------------------------------------------------------------------------------------


def test_a_thread_stays_where_it_was_served() -> None:
    pool = pool_of("a", "b")
    serve(pool, "b")
    pool.enter(lease_of(pool, "b"), NOW)
    assert (next_for(pool, "t"), next_for(pool, "other"), next_for(pool, "")) == ("b", "a", "a")


def test_a_success_makes_a_home_and_a_detour() -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    assert pool.place("t", NOW) == Placement(home=A)
    serve(pool, "b")
    assert pool.place("t", NOW) == Placement(home=A, detour=B)


@all_rows("kind", [kind for kind in Kind if kind is not Kind.OK])
def test_nothing_else_makes_a_home(kind: Kind) -> None:
    pool = pool_of("a")
    serve(pool, "a", Outcome(kind=kind))
    assert pool.place("t", NOW) == UNPLACED


@all_rows("kind", [kind for kind in Kind if kind is not Kind.OK])
def test_nothing_else_begins_a_detour(kind: Kind) -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    serve(pool, "b", Outcome(kind=kind))
    assert pool.place("t", NOW) == Placement(home=A)


@all_rows(
    ("outcome", "back", "after"),
    [
        (Outcome(kind=SOFT), "b", 3),
        (Outcome(kind=SOFT), "a", 3.1),
        (Outcome(kind=Kind.PAYMENT_REQUIRED), "b", 59),
        (Outcome(kind=Kind.PAYMENT_REQUIRED), "a", 60),
        (Outcome(kind=HARD), "a", 901),
        (Outcome(kind=HARD, until=NOW + 1700), "a", 1701),
        (Outcome(kind=HARD, until=NOW + HOUR), "b", HOUR + 1),
        (Outcome(kind=Kind.TOKEN_INVALIDATED), "b", 11),
        (Outcome(kind=Kind.DEACTIVATED), "b", 11),
    ],
    ids=[
        "just failed",
        "upstream stumbled",
        "its own failure",
        "recovered",
        "at its limit",
        "nearly half an hour",
        "an hour",
        "signed out",
        "closed",
    ],
)
def test_a_thread_returns_when_its_home_is_back_unless_the_cache_has_moved(
    outcome: Outcome, back: str, after: float
) -> None:
    pool = pool_of("a", "b", "c")
    serve(pool, "a")
    serve(pool, "a", outcome)
    assert next_for(pool, "t") == "b"
    serve(pool, "b")
    assert next_for(pool, "t", NOW + 2) == "b"
    assert next_for(pool, "t", NOW + after) == back


def test_a_thread_whose_home_may_not_return_moves_with_its_next_success() -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    serve(pool, "a", Outcome(kind=Kind.TOKEN_INVALIDATED))
    assert pool.place("t", NOW) == Placement(home=A)
    serve(pool, "b")
    assert pool.place("t", NOW) == Placement(home=B)


def test_a_thread_whose_home_was_removed_moves_with_its_next_success() -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    pool.load(Stored((account("b"),)))
    serve(pool, "b")
    assert pool.place("t", NOW) == Placement(home=B)


def test_a_paused_home_may_return() -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    pool.load(Stored((account("a", enabled=False), account("b"))))
    serve(pool, "b")
    assert pool.place("t", NOW) == Placement(home=A, detour=B)


def test_a_forgotten_thread_goes_where_a_new_one_would() -> None:
    pool = pool_of("a", "b", threads=(Affinity(thread="t", key=B, used_at=NOW),))
    assert next_for(pool, "t", NOW + THREAD_SECONDS - 1) == "b"
    assert next_for(pool, "t", NOW + THREAD_SECONDS) == "a"


def test_a_later_use_by_another_proxy_moves_the_thread() -> None:
    pool = pool_of("a", "b", threads=(Affinity(thread="t", key=A, used_at=NOW),))
    pool.load(Stored((account("a"), account("b")), threads=(Affinity(thread="t", key=B, used_at=NOW + 1),)))
    assert pool.place("t", NOW + 1).home == B


def test_a_thread_is_handed_to_the_journal_when_it_moves_and_not_at_every_turn() -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    serve(pool, "a")
    serve(pool, "a", now=NOW + 1)
    serve(pool, "b", now=NOW + 2)
    assert journal.of("save_affinity") == [
        (Affinity(thread="t", key=A, used_at=NOW),),
        (Affinity(thread="t", key=A, used_at=NOW + 2, detour=B, detoured_at=NOW + 2),),
    ]


def test_a_request_without_a_thread_leaves_no_trace() -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    serve(pool, "a", thread="")
    pool.compacted(lease_of(pool, "a"), NOW)
    assert journal.entries == []


# --- the summary of a thread -----------------------------------------------------------------------------------------


def summarised(policy: Policy | None = None) -> Pool:
    """Account a summarised thread t and has met its limit since."""
    journal = ListJournal()
    pool = Pool(journal, policy)
    pool.load(Stored((account("a", plan="pro"), account("b"))))
    serve(pool, "a")
    pool.compacted(lease_of(pool, "a", thread="t"), NOW)
    pool.compacted(lease_of(pool, "a", thread="t"), NOW + 1)
    assert journal.of("save_affinity")[1:] == [(Affinity(thread="t", key=A, used_at=NOW, owner=A),)]
    serve(pool, "a", Outcome(kind=HARD, until=NOW + HOUR), thread="")
    return pool


def test_a_summarised_thread_waits_for_the_account_that_can_read_it() -> None:
    pool = summarised()
    answer = pool.select(Ask(thread="t"), NOW)
    assert isinstance(answer, Exhausted)
    assert (answer.resets_at, answer.plan, answer.rule) == (NOW + HOUR, "pro", "compaction")
    assert next_for(pool, "another") == "b"
    assert next_for(pool, "t", NOW + HOUR) == "a"


def test_a_summary_of_an_account_that_was_removed_ties_nobody() -> None:
    """Nobody can read it any more; upstream's answer says so, instead of a pool that bars everybody."""
    pool = pool_of("a", "b")
    pool.compacted(lease_of(pool, "a", thread="t"), NOW)
    pool.load(Stored((account("b"),)))
    assert isinstance(pool.select(Ask(thread="t"), NOW), Lease)


def test_the_owner_of_the_pool_may_give_the_summary_up() -> None:
    assert next_for(summarised(Policy(drop_compaction=True)), "t") == "b"


# --- not all at once -------------------------------------------------------------------------------------------------


def displaced(pool: Pool, threads: int) -> None:
    """So many threads lived at account a until it met its limit."""
    for number in range(threads):
        serve(pool, "a", thread=f"{number}")
    serve(pool, "a", Outcome(kind=HARD, until=NOW + HOUR), thread="0")


def follow(pool: Pool, thread: str, now: float = NOW) -> str:
    """The thread's next turn begins and ends; where."""
    lease = taken(pool, thread, now)
    pool.enter(lease, now)
    pool.leave(lease.key)
    return lease.account.label


def test_the_herd_of_an_account_that_failed_spreads_over_all_others() -> None:
    """Whatever the strategy says: here b could do ten times as much as the others."""
    assert (RAMP_THREADS, RAMP_SECONDS) == (4, 10)
    pool = pool_of("a", account("b", plan="pro"), account("c", plan="free"), account("d", plan="free"))
    displaced(pool, 12)
    went = Counter(follow(pool, f"{number}", NOW + number / 2) for number in range(12))
    assert went == {"b": 4, "c": 4, "d": 4}


def test_when_all_others_were_given_their_share_the_rest_is_served_all_the_same() -> None:
    pool = pool_of("a", "b", "c")
    displaced(pool, 20)
    went = Counter(follow(pool, f"{number}") for number in range(20))
    assert went == {"b": 10, "c": 10}


def test_after_a_while_an_account_can_take_more_of_them() -> None:
    pool = pool_of("a", account("b", plan="pro"), account("c", plan="free"))
    displaced(pool, 6)
    assert [follow(pool, thread) for thread in "01234"] == ["b"] * 4 + ["c"]
    assert next_for(pool, "5", NOW + 9.9) == "c"
    assert next_for(pool, "5", NOW + 10) == "b"


def test_threads_that_live_there_and_new_ones_are_no_herd() -> None:
    pool = pool_of("a", account("b", plan="pro"), account("c", plan="free"))
    for number in range(9):
        assert follow(pool, f"new-{number}") == "b"
        serve(pool, "b", thread=f"new-{number}")
        assert follow(pool, f"new-{number}") == "b"
    displaced(pool, 1)
    assert next_for(pool, "0") == "b"


def test_the_reason_says_that_others_were_given_enough() -> None:
    pool = pool_of("a", account("b", plan="pro"), account("c", plan="free"))
    displaced(pool, 5)
    for thread in "0123":
        follow(pool, thread)
    assert taken(pool, "4").why == "the others were just given threads whose own account failed"


def test_a_thread_that_is_asked_again_on_the_same_account_is_one_thread() -> None:
    """After a new token, a moment's pause, or without what that account cannot read."""
    pool = pool_of("a", account("b", plan="pro"), account("c", plan="free"))
    displaced(pool, 3)
    for thread in "01":
        assert [follow(pool, thread), follow(pool, thread)] == ["b", "b"]
    assert next_for(pool, "2") == "b"


def test_round_robin_gives_each_account_its_turn() -> None:
    journal = ListJournal()
    pool = Pool(journal, Policy(strategy=Strategy.ROUND_ROBIN))
    pool.load(Stored(tuple(account(name) for name in "abc")))
    order = []
    for number in range(7):
        order.append(follow(pool, f"{number}"))
        serve(pool, order[-1], thread=f"{number}")
        follow(pool, "0")  # a thread at home takes nobody's turn
    assert order == ["a", "b", "c", "a", "b", "c", "a"]


# --- who can read what -----------------------------------------------------------------------------------------------


def test_the_reader_of_a_request_is_a_workspace_and_the_one_the_thread_came_from() -> None:
    pool = pool_of("a", "b", account("c", account_id=account("b").account_id))
    here, there = account("a").account_id, account("b").account_id
    assert ReadingContext.of(lease_of(pool, "a", thread="t"), pool, NOW) == ReadingContext(thread="t", workspace=here)
    serve(pool, "a")
    assert ReadingContext.of(lease_of(pool, "a", thread="t"), pool, NOW) == ReadingContext(thread="t", workspace=here)
    assert ReadingContext.of(lease_of(pool, "b", thread="t"), pool, NOW) == ReadingContext(
        thread="t", workspace=there, before=here
    )
    serve(pool, "b", thread="u")
    beside = pool.select(Ask(thread="u", tried=frozenset({A, B})), NOW)
    assert isinstance(beside, Lease)
    assert ReadingContext.of(beside, pool, NOW) == ReadingContext(thread="u", workspace=there), (
        "another candidate of the same workspace"
    )


def test_a_home_that_was_removed_is_no_workspace_to_come_from() -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    pool.load(Stored((account("b"),)))
    assert ReadingContext.of(lease_of(pool, "b", thread="t"), pool, NOW).before == ""


# --- a restart -------------------------------------------------------------------------------------------------------


def test_a_restart_changes_no_choice(tmp_path: Path) -> None:
    path = tmp_path / "home" / "pool.db"
    asks = [Ask(thread=thread) for thread in ("t", "u", "v", "new")]
    with Store(path) as store:
        for name in "abc":
            store.put_account(account(name), credentials(name)).result()
        pool = Pool(store)
        pool.load(store)
        for name, thread in (("a", "t"), ("c", "u"), ("b", "v")):
            serve(pool, name, thread=thread)
        pool.compacted(lease_of(pool, "b", thread="v"), NOW)
        serve(pool, "c", Outcome(kind=HARD, until=NOW + 600), now=NOW + 1, thread="u")
        serve(pool, "b", now=NOW + 2, thread="u")
    with Store(path) as store:
        again = Pool(store)
        again.load(store)
        for now in (NOW + 3, NOW + 700, NOW + HOUR, NOW + THREAD_SECONDS + 3):
            assert [again.select(ask, now) for ask in asks] == [pool.select(ask, now) for ask in asks]
            assert [again.place(ask.thread, now) for ask in asks] == [pool.place(ask.thread, now) for ask in asks]
        assert [next_for(again, ask.thread, NOW + 3) for ask in asks] == ["a", "b", "b", "a"]


@pytest.mark.parametrize("kind", [kind for kind in Kind if RULES[kind].rest is Rest.HARD])
def test_a_thread_does_not_wait_for_a_home_at_its_limit(kind: Kind) -> None:
    pool = pool_of("a", "b")
    serve(pool, "a")
    serve(pool, "a", Outcome(kind=kind))
    assert next_for(pool, "t") == "b"


def test_a_sub_agent_s_thread_begins_on_its_parent_s_account_if_that_can_serve() -> None:
    pool = pool_of("a", "b", "c")
    serve(pool, "c", thread="parent")
    child = Ask(thread="child", parent="parent")
    chosen = pool.select(child, NOW)
    assert isinstance(chosen, Lease)
    assert chosen.account.label == "c"
    serve(pool, "c", Outcome(kind=HARD, until=NOW + HOUR), thread="parent")
    elsewhere = pool.select(child, NOW)
    assert isinstance(elsewhere, Lease)
    assert elsewhere.account.label != "c"
