"""What a thread has just met: where it does not go again at once, and what is believed without a third account."""

from accounts.choice.outcomes import RULES, Action, Kind, Outcome
from accounts.choice.recent_failures import BELIEVED_SECONDS, KEPT_SECONDS, MOST_EACH, MOST_THREADS, RecentFailures
from accounts.choice.selection import Ask
from accounts.model import Cooldown
from tests.builders import NOW, ListJournal, key_of, lease_of, pool_of
from tests.rows import all_rows

PAGE = Outcome(kind=Kind.CHALLENGE, detail="403")


def noted(*failures: tuple[str, Kind | Outcome, float], thread: str = "t") -> RecentFailures:
    """On these accounts, so many seconds after NOW."""
    recent = RecentFailures()
    for key, kind, seconds in failures:
        recent.note(thread, key, kind if isinstance(kind, Outcome) else Outcome(kind=kind), NOW + seconds)
    return recent


@all_rows("kind", Kind)
def test_a_thread_keeps_away_from_an_account_that_failed_it_unless_that_says_nothing_of_the_account(kind: Kind) -> None:
    keeps_away = RULES[kind].action not in {Action.DELIVER, Action.UNSEAL, Action.RESEND}
    assert (noted(("a", kind, 0)).of("t", NOW) == {"a"}) == keeps_away


def test_for_half_a_minute_and_no_other_thread() -> None:
    recent = noted(("a", Kind.SERVER_ERROR, 0))
    assert recent.of("t", NOW + KEPT_SECONDS - 0.1) == {"a"}
    assert recent.of("t", NOW + KEPT_SECONDS) == set()
    assert recent.of("u", NOW) == set()


def test_a_clock_that_is_set_back_ends_it() -> None:
    assert noted(("a", Kind.SERVER_ERROR, 0)).of("t", NOW - 1) == set()


def test_requests_without_a_thread_have_no_past() -> None:
    assert noted(("a", Kind.SERVER_ERROR, 0), thread="").of("", NOW) == set()


def test_a_success_ends_it_and_shows_whose_unexplained_refusals_were() -> None:
    recent = noted(("a", PAGE, 0), ("b", Kind.USAGE_LIMIT, 1), ("c", Kind.UNEXPLAINED, 2))
    assert [failure.key for failure in recent.served("t", "c", "abc", NOW + 3)] == ["a"]
    assert recent.of("t", NOW + 3) == set()
    assert recent.served("t", "c", "abc", NOW + 3) == ()


@all_rows(
    ("key", "outcome", "seconds", "confirmed"),
    [
        ("b", PAGE, 1, True),
        ("b", PAGE, BELIEVED_SECONDS, False),
        ("a", PAGE, 1, False),
        ("b", Outcome(kind=Kind.CHALLENGE, detail="403 other"), 1, False),
        ("b", Outcome(kind=Kind.UNEXPLAINED, detail="403"), 1, False),
    ],
    ids=["the same", "too late", "the same account", "other words", "another kind"],
)
def test_a_refusal_is_confirmed_by_the_same_words_of_another_account(
    key: str, outcome: Outcome, seconds: float, confirmed: bool
) -> None:
    assert bool(noted(("a", PAGE, 0)).alike("t", key, outcome, NOW + seconds)) == confirmed


@all_rows(
    ("failures", "fail"),
    [
        ([("a", Kind.SOCKET_CLOSED, 0)], False),
        ([("a", Kind.SOCKET_CLOSED, 0), ("a", Kind.SOCKET_CLOSED, 1)], False),
        ([("a", Kind.SOCKET_CLOSED, 0), ("b", Kind.SOCKET_CLOSED, 1)], True),
        ([("a", Kind.SOCKET_CLOSED, 0), ("b", Kind.RESET, 1)], False),
        ([("a", Kind.TOO_LARGE, 0)], True),
    ],
)
def test_sockets_fail_when_two_accounts_close_them_at_once_or_a_message_is_too_large(
    failures: list[tuple[str, Kind, float]], fail: bool
) -> None:
    recent = noted(*failures)
    assert recent.sockets_fail("t", NOW + 2) == fail
    assert not recent.sockets_fail("t", NOW + 2 + KEPT_SECONDS)


def test_it_is_bounded() -> None:
    recent = RecentFailures()
    for number in range(MOST_THREADS + 5):
        recent.note(str(number), "a", PAGE, NOW)
    assert recent.of("0", NOW) == set()
    for number in range(MOST_EACH + 5):
        recent.note("t", str(number), PAGE, NOW)
    assert len(recent.of("t", NOW)) == MOST_EACH


# --- in a pool -------------------------------------------------------------------------------------------------------


def test_a_thread_is_led_past_an_account_that_has_just_failed_it_while_others_can_serve() -> None:
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "a", thread="t"), Outcome(kind=Kind.OK), NOW)
    pool.report(lease_of(pool, "b"), Outcome(kind=Kind.SERVER_ERROR), NOW + 1)  # another thread's trouble
    pool.report(lease_of(pool, "a", thread="t"), Outcome(kind=Kind.SERVER_ERROR), NOW + 5)
    for seconds, best in ((6, "b"), (36, "a")):
        assert pool.select(Ask(thread="t"), NOW + seconds).account.label == best  # type: ignore[union-attr]


def test_in_a_large_pool_too() -> None:
    pool = pool_of(*"abcdefgh")
    failed = set()
    for _ in range(8):
        lease = pool.select(Ask(thread="t"), NOW)
        pool.report(lease, PAGE, NOW)  # type: ignore[arg-type]
        failed.add(lease.key)  # type: ignore[union-attr]
    assert failed == {key_of(name) for name in "abcdefgh"}


def test_who_has_refused_what_another_account_then_serves_rests_for_a_moment() -> None:
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "a", thread="t"), PAGE, NOW)
    assert pool.candidates[key_of("a")].cooldown is None
    pool.report(lease_of(pool, "b", thread="t"), Outcome(kind=Kind.OK), NOW + 1)
    assert pool.candidates[key_of("a")].cooldown == Cooldown(until=NOW + 61, reason=Kind.REFUSED_ALONE, since=NOW + 1)


def test_that_is_stored_before_where_the_thread_lives_now() -> None:
    """Whoever finds the thread in the pool on disk finds all that its turn has come to."""
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    pool.report(lease_of(pool, "a", thread="t"), PAGE, NOW)
    pool.report(lease_of(pool, "b", thread="t"), Outcome(kind=Kind.OK), NOW + 1)
    assert [entry[0] for entry in journal.entries][-2:] == ["set_cooldown", "save_affinity"]
