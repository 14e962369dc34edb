"""The pool in memory: leases, rests, where threads live, and what is handed to the journal."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import Affinity, Cooldown, Event, Standing
from accounts.outcomes import RULES, Kind, Outcome, Rest
from accounts.pool import MOST_THREADS, REFRESH_AHEAD, REWRITE_SECONDS, THREAD_SECONDS, Lease, Pool
from accounts.selection import Ask, Exhausted, resting
from accounts.store import Store
from tests.builders import HOUR, NOW, ListJournal, Stored, account, credentials, key_of, lease_of, planted, pool_of

A, B = key_of("a"), key_of("b")
OK = Outcome(kind=Kind.OK)
HARD, SOFT = Kind.USAGE_LIMIT, Kind.SERVER_ERROR


def limit(seconds: float, kind: Kind = HARD) -> Outcome:
    return Outcome(kind=kind, until=NOW + seconds)


def cooldown(pool: Pool, key: str = A) -> Cooldown | None:
    return pool.seats[key].cooldown


def serve(pool: Pool, name: str, outcome: Outcome = OK, now: float = NOW, thread: str = "") -> None:
    """An attempt on this account and what came of it."""
    pool.report(lease_of(pool, name, now, thread), outcome, now)


def next_for(pool: Pool, thread: str, now: float = NOW) -> str:
    lease = pool.select(Ask(thread=thread), now)
    assert isinstance(lease, Lease)
    return lease.account.label


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        for name in "ab":
            opened.put_account(account(name), credentials(name)).result()
        yield opened


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_carries_the_tokens_of_its_account_and_does_not_show_them() -> None:
    lease = lease_of(pool_of("a", "b"), "b", thread="t")
    assert (lease.credentials, lease.thread, lease.at) == (credentials("b"), "t", NOW)
    assert not [secret for secret in planted([credentials("b")]) if secret in repr(lease)]


@pytest.mark.parametrize(
    ("expires_at", "wants", "expired"),
    [
        (None, False, False),
        (NOW + REFRESH_AHEAD + 1, False, False),
        (NOW + REFRESH_AHEAD, False, False),
        (NOW + REFRESH_AHEAD - 1, True, False),
        (NOW + 0.1, True, False),
        (NOW, True, True),
        (0.0, True, True),
    ],
)
def test_a_token_is_renewed_five_minutes_before_its_end(expires_at: float | None, wants: bool, expired: bool) -> None:
    lease = lease_of(pool_of("a", tokens={A: credentials(expires_at=expires_at)}), "a")
    assert (lease.wants_refresh(NOW), lease.expired(NOW)) == (wants, expired)


def test_asking_changes_nothing() -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    assert [next_for(pool, "t") for _ in range(3)] == ["a", "a", "a"]
    assert journal.entries == []


def test_turns_spread_over_accounts_that_are_equally_good() -> None:
    pool = pool_of("a", "b", "c")
    order = []
    for thread in "123456":
        order.append(next_for(pool, thread))
        pool.enter(key_of(order[-1]))
    assert order == ["a", "b", "c", "a", "b", "c"]
    pool.leave(B)
    assert (pool.in_flight(A), pool.in_flight(B)) == (2, 1)
    assert next_for(pool, "7") == "b"


def test_leaving_once_too_often_leaves_no_debt() -> None:
    pool = pool_of("a")
    pool.leave(A)
    pool.enter(A)
    assert pool.in_flight(A) == 1


def test_a_row_without_tokens_cannot_serve() -> None:
    pool = pool_of("a", "b", tokens={B: credentials("b")})
    assert next_for(pool, "") == "b"
    assert isinstance(pool.select(Ask(tried=frozenset({B})), NOW), Exhausted)


def test_a_row_without_tokens_is_not_said_to_have_been_tried() -> None:
    answer = pool_of("a", tokens={}).select(Ask(), NOW)
    assert isinstance(answer, Exhausted)
    assert "tried" not in answer.reasons["a"]


# --- rests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in Kind if RULES[kind].rest is not Rest.NONE])
def test_a_rest_lasts_as_its_rule_says_unless_upstream_names_a_time(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    serve(pool, "a", Outcome(kind=kind))
    serve(pool, "b", limit(1234, kind))
    assert cooldown(pool, A) == Cooldown(until=NOW + RULES[kind].seconds, reason=kind, since=NOW)
    assert cooldown(pool, B) == Cooldown(until=NOW + 1234, reason=kind, since=NOW)
    assert journal.of("set_cooldown") == [(A, cooldown(pool, A)), (B, cooldown(pool, B))]


@pytest.mark.parametrize("kind", [kind for kind in Kind if RULES[kind].rest is Rest.NONE])
def test_no_rest_without_a_rule_for_it(kind: Kind) -> None:
    pool = pool_of("a")
    serve(pool, "a", Outcome(kind=kind, until=NOW + 99))
    assert cooldown(pool) is None


@pytest.mark.parametrize(
    ("first", "second", "at_least", "firm"),
    [
        (limit(900), limit(60), 900, True),
        (limit(60), limit(900), 900, True),
        (limit(900), limit(60, SOFT), 900, True),
        (limit(60, SOFT), limit(900), 900, True),
        (limit(60, SOFT), limit(900, SOFT), 900, False),
        (limit(900, SOFT), limit(60), 60, True),
        pytest.param(
            limit(900, SOFT),
            limit(60, SOFT),
            900,
            False,
        ),
        pytest.param(
            limit(60),
            limit(900, SOFT),
            60,
            True,
        ),
    ],
    ids=lambda v: f"{v.kind}-{(v.until or NOW) - NOW:.0f}" if isinstance(v, Outcome) else "",
)
def test_a_later_rest_never_shortens_or_softens_one(
    first: Outcome, second: Outcome, at_least: float, firm: bool
) -> None:
    pool = pool_of("a", "b")
    lease = lease_of(pool, "a")  # both attempts were under way before either ended
    pool.report(lease, first, NOW)
    pool.report(lease, second, NOW)
    resulting = cooldown(pool)
    assert resulting is not None
    assert (resting(resulting, NOW) is Rest.HARD) == firm
    assert resulting.until - NOW >= at_least


@given(st.lists(st.tuples(st.sampled_from(["usage_limit", "insufficient"]), st.floats(1, 1e6)), min_size=1))
@settings(deadline=None)
def test_however_limits_follow_each_other_the_longest_holds(limits: list[tuple[str, float]]) -> None:
    pool = pool_of("a")
    lease = lease_of(pool, "a")
    for name, seconds in limits:
        pool.report(lease, limit(seconds, HARD if name == "usage_limit" else Kind.NO_CREDIT), NOW)
    resulting = cooldown(pool)
    assert resulting is not None
    assert resulting.until == NOW + max(seconds for _, seconds in limits)


def test_after_a_restart_a_rest_is_as_firm_as_before(store: Store) -> None:
    pool = Pool(store)
    pool.load(store)
    lease = lease_of(pool, "a")
    pool.report(lease, limit(900, Kind.BURST_LIMIT), NOW)
    pool.report(lease, limit(300, Kind.USAGE_LIMIT), NOW)
    store.flush()
    again = Pool(store)
    again.load(store)
    assert pool.usable(A, NOW) == again.usable(A, NOW)


@pytest.mark.parametrize(("leased", "cleared"), [(-10.0, False), (-0.001, False), (0.0, True), (5.0, True)], ids=str)
def test_a_success_ends_only_a_rest_that_began_before_it_was_asked_for(leased: float, cleared: bool) -> None:
    """A stream that began before the limit was met, and ends well afterwards, says nothing about the limit."""
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    if leased < 0:
        lease = lease_of(pool, "a", NOW + leased)
        serve(pool, "a", limit(900, SOFT))
    else:
        serve(pool, "a", limit(900, SOFT))
        lease = lease_of(pool, "a", NOW + leased)
    pool.report(lease, OK, NOW + 10)
    assert (cooldown(pool) is None) == cleared
    assert journal.of("clear_cooldown") == ([(A,)] if cleared else [])


def test_a_success_without_a_rest_is_no_news() -> None:
    journal = ListJournal()
    serve(pool_of("a", journal=journal), "a")
    assert journal.entries == []


# --- standing and history --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in Kind if RULES[kind].standing is not None])
def test_an_account_the_provider_refuses_is_out_until_a_person_helps(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind))
    assert not pool.usable(A, NOW + 1e9)
    assert journal.of("set_standing") == [(A, RULES[kind].standing)]


def test_an_account_that_was_signed_out_is_taken_out() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=Kind.TOKEN_INVALIDATED))
    assert not pool.usable(A, NOW)
    assert journal.of("set_standing") == [(A, Standing.NEEDS_LOGIN)]


@pytest.mark.parametrize("kind", Kind)
def test_every_outcome_but_success_and_a_client_that_left_is_history(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind, detail="why"), thread="t")
    expected = Event(at=NOW, kind=kind, key=A, thread="t", detail="why")
    assert journal.of("record") == ([] if kind in (Kind.OK, Kind.CLIENT_GONE) else [(expected,)])


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_said_of_an_account_that_was_removed_meanwhile(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    lease = lease_of(pool, "a", thread="t")
    pool.load(Stored())
    pool.report(lease, Outcome(kind=kind), NOW)
    assert journal.entries == []
    assert pool.home("t", NOW) is None


@pytest.mark.parametrize("kind", Kind)
def test_the_journal_never_sees_a_token(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind), thread="t")
    assert not [secret for secret in planted([credentials("a")]) if secret in repr(journal)]


# --- threads ---------------------------------------------------------------------------------------------------------


def test_a_thread_stays_where_it_was_served() -> None:
    pool = pool_of("a", "b")
    serve(pool, "b", thread="t")
    pool.enter(B)
    assert (next_for(pool, "t"), next_for(pool, "other"), next_for(pool, "")) == ("b", "a", "a")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OK])
def test_only_a_success_makes_a_home(kind: Kind) -> None:
    pool = pool_of("a")
    serve(pool, "a", Outcome(kind=kind), thread="t")
    assert pool.home("t", NOW) is None


@pytest.mark.parametrize(("kind", "afterwards"), [(SOFT, "a"), (HARD, "b"), (Kind.TOKEN_INVALIDATED, "b")])
def test_a_thread_returns_after_a_soft_rest_and_moves_after_a_hard_one(kind: Kind, afterwards: str) -> None:
    pool = pool_of("a", "b")
    serve(pool, "a", thread="t")
    serve(pool, "a", Outcome(kind=kind), thread="t")
    assert next_for(pool, "t") == "b"
    serve(pool, "b", thread="t")
    assert next_for(pool, "t", NOW + HOUR) == afterwards


def test_a_thread_is_forgotten_a_day_after_its_last_use() -> None:
    pool = pool_of("a", "b", threads=(Affinity(thread="t", key=B, used_at=NOW),))
    assert pool.home("t", NOW + THREAD_SECONDS - 1) == B
    assert pool.home("t", NOW + THREAD_SECONDS) is None
    assert next_for(pool, "t", NOW + THREAD_SECONDS) == "a"


def test_a_busy_thread_is_written_once_a_minute() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    for second in range(int(2 * REWRITE_SECONDS) + 3):
        serve(pool, "a", now=NOW + second, thread="t")
    written = [affinity.used_at - NOW for (affinity,) in journal.of("save_affinity")]
    assert written == [0, REWRITE_SECONDS + 1, 2 * REWRITE_SECONDS + 2]


def test_a_thread_that_moves_is_written_at_once() -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    serve(pool, "a", thread="t")
    serve(pool, "a", Outcome(kind=HARD))
    serve(pool, "b", now=NOW + 1, thread="t")
    assert [affinity.key for (affinity,) in journal.of("save_affinity")] == [A, B]


def test_threads_take_bounded_memory_and_the_one_not_used_longest_goes_first() -> None:
    pool = pool_of("a")
    serve(pool, "a", thread="old")
    serve(pool, "a", thread="kept")
    lease = lease_of(pool, "a")
    for number in range(MOST_THREADS - 2):
        pool.report(Lease(account=lease.account, credentials=lease.credentials, thread=f"{number}", at=NOW), OK, NOW)
    for thread in ("kept", "new", "newer"):
        serve(pool, "a", thread=thread)
    assert pool.home("old", NOW) is None
    assert pool.home("kept", NOW) == A
    assert len(pool._threads) == MOST_THREADS


# --- in step with the store ------------------------------------------------------------------------------------------


def test_loading_takes_over_what_is_stored_and_keeps_what_only_memory_knows() -> None:
    pool = pool_of("a", "b")
    serve(pool, "b", thread="t")
    pool.enter(B)
    stale = (Affinity(thread="t", key=A, used_at=NOW - 5), Affinity(thread="u", key=B, used_at=NOW))
    rests = {B: Cooldown(until=NOW + 5, reason=HARD)}
    pool.load(Stored((account("b"), account("c")), rests=rests, threads=stale))
    assert sorted(pool.seats) == [B, key_of("c")]
    assert (pool.account(A), len(pool)) == (None, 2)
    assert not pool.usable(B, NOW)
    assert (pool.home("t", NOW), pool.home("u", NOW), pool.in_flight(B)) == (B, B, 1)


def test_a_later_use_by_another_proxy_moves_the_thread() -> None:
    pool = pool_of("a", "b", threads=(Affinity(thread="t", key=A, used_at=NOW),))
    pool.load(Stored((account("a"), account("b")), threads=(Affinity(thread="t", key=B, used_at=NOW + 1),)))
    assert pool.home("t", NOW + 1) == B


@pytest.mark.parametrize("kind", [Kind.USAGE_LIMIT, Kind.TOKEN_INVALIDATED])
def test_what_is_on_its_way_to_the_disk_survives_loading(store: Store, kind: Kind) -> None:
    """Another process is writing at the very moment when our own write is queued behind it."""
    pool = Pool(store)
    pool.load(store)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        serve(pool, "a", Outcome(kind=kind))
        assert not pool.usable(A, NOW)
        pool.load(store)
        other.rollback()
    assert not pool.usable(A, NOW)


def test_a_refused_token_stays_distrusted_when_something_else_has_changed() -> None:
    stored = Stored((account("a"),), tokens={A: credentials(expires_at=NOW + HOUR)})
    pool = Pool(ListJournal())
    pool.load(stored)
    pool.distrust(A)
    pool.load(stored)
    assert lease_of(pool, "a").wants_refresh(NOW)


def test_newer_tokens_are_used_by_the_next_lease_and_end_the_distrust() -> None:
    pool = pool_of("a")
    pool.distrust(A)
    pool.distrust("nobody:here")
    assert lease_of(pool, "a").expired(NOW)
    pool.renewed(A, credentials("new", expires_at=NOW + HOUR))
    pool.renewed("nobody:here", credentials("other"))
    lease = lease_of(pool, "a")
    assert (lease.credentials.access, lease.wants_refresh(NOW)) == (credentials("new").access, False)
