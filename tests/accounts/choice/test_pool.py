"""The pool in memory: leases, rests, standing, and being in step with the store.

Where threads go is in tests/accounts/test_pool_threads.py, what is learned on the way in test_pool_learning.py.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.cooldowns import resting
from accounts.choice.outcomes import RULES, Kind, Outcome, Rest
from accounts.choice.pool import Lease, Pool, key_named
from accounts.choice.selection import Ask, Choice, Exhausted
from accounts.choice.threads import UNPLACED
from accounts.model import Affinity, Cooldown, Event, Standing
from accounts.store.store import Store
from tests.builders import HOUR, NOW, ListJournal, Stored, account, credentials, key_of, lease_of, planted, pool_of
from tests.rows import all_rows

A, B = key_of("a"), key_of("b")
OK, HARD, SOFT = Outcome(kind=Kind.OK), Kind.USAGE_LIMIT, Kind.SERVER_ERROR
NO_EVENT = {Kind.OK, Kind.UPGRADED, Kind.CLIENT_GONE, Kind.STALE}


def limit(seconds: float, kind: Kind = HARD) -> Outcome:
    return Outcome(kind=kind, until=NOW + seconds)


def cooldown(pool: Pool, key: str = A) -> Cooldown | None:
    return pool.candidates[key].cooldown


def usable(pool: Pool, key: str = A, now: float = NOW) -> bool:
    return pool.can_serve(key, Ask(), now)


def serve(pool: Pool, name: str, outcome: Outcome = OK, now: float = NOW, thread: str = "") -> None:
    """An attempt on this account and what came of it."""
    pool.report(lease_of(pool, name, now, thread), outcome, now)


def next_for(pool: Pool, thread: str = "", now: float = NOW) -> str:
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
    lease = lease_of(pool_of("a", "b"), "b", thread="t", model="m")
    assert (lease.credentials, lease.thread, lease.model, lease.at) == (credentials("b"), "t", "m", NOW)
    assert lease.why == "it is the only one that can"
    assert not [secret for secret in planted([credentials("b")]) if secret in repr(lease)]


def test_a_lease_for_upkeep_needs_no_request_but_an_account_with_tokens() -> None:
    pool = pool_of("a", "b", account("c", enabled=False), tokens={A: credentials("a"), key_of("c"): credentials("c")})
    leases = [pool.lease_of(key_of(name), NOW) for name in "abcd"]
    assert [lease.credentials if lease else None for lease in leases] == [
        credentials("a"),
        None,
        credentials("c"),
        None,
    ]


@all_rows(
    ("expires_at", "wants", "expired"),
    [
        (None, False, False),
        (NOW + 301, False, False),
        (NOW + 300, False, False),
        (NOW + 299, True, False),
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
    for _ in range(3):
        pool.explain(Ask(thread="t"), NOW)
        assert next_for(pool, "t") == "a"
    assert journal.entries == []


def test_an_explanation_is_of_the_very_choice() -> None:
    pool = pool_of("a", "b", "c")
    serve(pool, "b", thread="t")
    serve(pool, "a", limit(60))
    explanation = pool.explain(Ask(thread="t", model="m"), NOW)
    lease = pool.select(Ask(thread="t", model="m"), NOW)
    assert isinstance(lease, Lease)
    assert explanation.choice == Choice(account=lease.account, why=lease.why)
    assert [each.candidate.account.label for each in explanation.assessments] == ["b", "c", "a"]
    assert (lease.account.label, lease.why) == ("b", "the thread lives here")


def test_an_explanation_of_nobody_is_the_answer() -> None:
    pool = pool_of("a")
    serve(pool, "a", limit(60))
    assert pool.explain(Ask(), NOW).choice == pool.select(Ask(), NOW) != Exhausted()


def test_turns_spread_over_accounts_that_are_equally_good() -> None:
    pool = pool_of("a", "b", "c")
    order = []
    for thread in "123456":
        order.append(next_for(pool, thread))
        pool.enter(lease_of(pool, order[-1], thread=thread), NOW)
    assert order == ["a", "b", "c", "a", "b", "c"]
    pool.leave(B)
    assert (pool.in_flight(A), pool.in_flight(B)) == (2, 1)
    assert next_for(pool, "7") == "b"


def test_leaving_once_too_often_leaves_no_debt() -> None:
    pool = pool_of("a")
    pool.leave(A)
    pool.enter(lease_of(pool, "a"), NOW)
    assert pool.in_flight(A) == 1


def test_a_row_without_tokens_cannot_serve() -> None:
    pool = pool_of("a", "b", tokens={B: credentials("b")})
    assert next_for(pool, "") == "b"
    answer = pool.select(Ask(tried=frozenset({B})), NOW)
    assert isinstance(answer, Exhausted)
    assert answer.reasons["a"] == "no tokens stored"


def test_nobody_who_is_not_in_the_pool_can_serve() -> None:
    assert not usable(pool_of("a"), B)


# --- rests -----------------------------------------------------------------------------------------------------------


@all_rows("kind", [kind for kind in Kind if RULES[kind].rest is not Rest.NONE])
def test_a_rest_lasts_as_its_rule_says_unless_upstream_names_a_time(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    serve(pool, "a", Outcome(kind=kind))
    serve(pool, "b", limit(1234, kind))
    assert cooldown(pool, A) == Cooldown(until=NOW + RULES[kind].seconds, reason=kind, since=NOW)
    assert cooldown(pool, B) == Cooldown(until=NOW + 1234, reason=kind, since=NOW)
    assert journal.of("set_cooldown") == [(A, cooldown(pool, A)), (B, cooldown(pool, B))]


@all_rows("kind", [kind for kind in Kind if RULES[kind].rest is Rest.NONE])
def test_no_rest_without_a_rule_for_it(kind: Kind) -> None:
    pool = pool_of("a")
    serve(pool, "a", Outcome(kind=kind, until=NOW + 99))
    assert cooldown(pool) is None


@all_rows(
    ("first", "second", "at_least", "firm"),
    [
        (limit(900), limit(60), 900, True),
        (limit(60), limit(900), 900, True),
        (limit(900), limit(60, SOFT), 900, True),
        (limit(60, SOFT), limit(900), 900, True),
        (limit(60, SOFT), limit(900, SOFT), 900, False),
        (limit(900, SOFT), limit(60), 60, True),
        (limit(900, SOFT), limit(60, SOFT), 900, False),
        (limit(60), limit(900, SOFT), 60, True),
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


@given(st.lists(st.tuples(st.sampled_from([HARD, Kind.NO_CREDIT]), st.floats(1, 1e6)), min_size=1))
@settings(deadline=None)
def test_however_limits_follow_each_other_the_longest_holds(limits: list[tuple[Kind, float]]) -> None:
    pool = pool_of("a")
    lease = lease_of(pool, "a")
    for kind, seconds in limits:
        pool.report(lease, limit(seconds, kind), NOW)
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
    for seconds in (0, 299, 301):
        assert usable(again, A, NOW + seconds) == usable(pool, A, NOW + seconds) == (seconds > 300)


@all_rows(("leased", "cleared"), [(-10.0, False), (-0.001, False), (0.0, True), (5.0, True)], ids=str)
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


@all_rows("kind", Kind)
def test_only_a_short_rest_makes_an_account_tired(kind: Kind) -> None:
    pool = pool_of("a")
    serve(pool, "a", Outcome(kind=kind, until=NOW + 60))
    assert [pool.tired(key, NOW) for key in (A, B)] == [RULES[kind].rest is Rest.SOFT, False]
    assert not pool.tired(A, NOW + 60)


@all_rows("kind", [kind for kind in Kind if kind is not Kind.OK])
def test_only_a_success_ends_a_rest(kind: Kind) -> None:
    """An opened socket shows that the login is good: limits arrive inside it."""
    pool = pool_of("a", rests={A: Cooldown(until=NOW + 900, reason=SOFT, since=NOW - 1)})
    serve(pool, "a", Outcome(kind=kind))
    assert cooldown(pool) is not None


# --- standing and history --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "word", "standing"),
    [
        (Kind.TOKEN_INVALIDATED, "token_revoked", Standing.NEEDS_LOGIN),
        (Kind.TOKEN_INVALIDATED, "refresh_token_reused", Standing.NEEDS_LOGIN),
        (Kind.DEACTIVATED, "deactivated_workspace", Standing.DEACTIVATED),
    ],
)
def test_an_account_the_provider_refuses_is_out_and_its_word_is_kept(kind: Kind, word: str, standing: Standing) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind, detail=f"401 invalid_request_error {word}"))
    assert not usable(pool, A, NOW + 1e9)
    assert journal.of("set_standing") == [(A, standing, word)]


@all_rows("kind", Kind)
def test_whatever_goes_wrong_is_history_and_a_client_that_left_is_not(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind, detail="why"), thread="t")
    expected = Event(at=NOW, kind=kind, key=A, thread="t", detail="why")
    assert journal.of("record") == ([] if kind in NO_EVENT else [(expected,)])


@all_rows("kind", Kind)
def test_nothing_is_said_of_an_account_that_was_removed_meanwhile(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    lease = lease_of(pool, "a", thread="t", model="m")
    pool.load(Stored())
    pool.report(lease, Outcome(kind=kind), NOW)
    assert journal.entries == []
    assert pool.place("t", NOW) == UNPLACED


@all_rows("kind", Kind)
def test_the_journal_never_sees_a_token(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    serve(pool, "a", Outcome(kind=kind), thread="t")
    assert not [secret for secret in planted([credentials("a")]) if secret in repr(journal)]


# --- in step with the store ------------------------------------------------------------------------------------------


def test_loading_takes_over_what_is_stored_and_keeps_what_only_memory_knows() -> None:
    pool = pool_of("a", "b")
    serve(pool, "b", thread="t")
    pool.enter(lease_of(pool, "b"), NOW)
    stale = (Affinity(thread="t", key=A, used_at=NOW - 5), Affinity(thread="u", key=B, used_at=NOW))
    rests = {B: Cooldown(until=NOW + 5, reason=HARD)}
    pool.load(Stored((account("b"), account("c")), rests=rests, threads=stale))
    assert sorted(pool.candidates) == [B, key_of("c")]
    assert (len(pool.candidates), A in pool.tokens) == (2, False)
    assert not usable(pool, B)
    assert (pool.place("t", NOW).home, pool.place("u", NOW).home, pool.in_flight(B)) == (B, B, 1)


def test_what_the_owner_changes_counts_from_the_next_loading_on() -> None:
    pool = pool_of("a", "b")
    changed = account("a", enabled=False, label="renamed"), account("b", priority=3, note="n")
    pool.load(Stored(changed))
    assert tuple(each.account for each in pool.candidates.values()) == changed
    assert not usable(pool, A)


def test_a_rest_that_somebody_ended_is_over() -> None:
    """`check` clears a rest that upstream ended early."""
    pool = pool_of("a", rests={A: Cooldown(until=NOW + 900, reason=HARD, since=NOW)})
    assert not usable(pool)
    pool.load(Stored((account("a"),)))
    assert usable(pool)


@pytest.mark.parametrize("kind", [Kind.USAGE_LIMIT, Kind.TOKEN_INVALIDATED])
def test_what_is_on_its_way_to_the_disk_survives_loading(store: Store, kind: Kind) -> None:
    """Another process is writing at the very moment when our own write is queued behind it."""
    pool = Pool(store)
    pool.load(store)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        serve(pool, "a", Outcome(kind=kind, detail="401 token_revoked"))
        assert not usable(pool)
        pool.load(store)
        other.rollback()
    assert not usable(pool)
    assert pool.candidates[A].account.standing_reason == ("token_revoked" if kind is Kind.TOKEN_INVALIDATED else "")


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


# --- names -----------------------------------------------------------------------------------------------------------


@all_rows(
    ("name", "key"),
    [
        ("Work", A),
        (" work ", A),
        ("WORK@example.com", A),
        (A, A),
        (account("a").account_id, A),
        (account("a").handle, A),
        ("b", B),
        ("both@example.com", "both@example.com"),
        ("nobody", "nobody"),
        ("", ""),
    ],
)
def test_a_name_means_an_account_when_it_can_mean_only_one(name: str, key: str) -> None:
    pool = pool_of(
        account("a", label="Work", email="work@example.com"),
        account("b", email="both@example.com"),
        account("c", email="both@example.com"),
    )
    assert key_named(pool.candidates, name) == key
