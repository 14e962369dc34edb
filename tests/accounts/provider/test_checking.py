"""What the provider says of accounts is believed where it says something; many are asked at once, and what was begun is
finished."""

import threading
from collections.abc import Mapping

import pytest

from accounts.errors import LoginNeeded
from accounts.model import Account, Credentials, Standing
from accounts.provider.checking import AT_ONCE, Checked, Checker, check_each, detail, hints, in_words
from accounts.provider.usage import ProviderAnswer, Verdict
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from tests.builders import HOUR, NOW, credentials
from tests.builders import account as built
from tests.harness import PATIENCE


def answer_usage(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
    return ProviderAnswer(status=200, body=b'{"rate_limit": null}')


def filled(store: Store, count: int) -> None:
    for n in range(count):
        seat = built(f"{n:02}", added_at=float(n))
        store.put_account(seat, Credentials(access=f"access-{n}", refresh=f"refresh-{n}")).result()


def test_so_many_are_asked_at_once_and_no_more(store: Store) -> None:
    """The barrier opens only when all of one round are there; the order of the answers is that of the accounts."""
    filled(store, 2 * AT_ONCE)
    together = threading.Barrier(AT_ONCE, timeout=PATIENCE)
    asking = threading.Semaphore(AT_ONCE)

    def get(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        assert asking.acquire(blocking=False), "too many at once"
        together.wait()
        asking.release()
        together.wait()
        return answer_usage(url, headers)

    done: list[None] = []
    checker = Checker(store=store, url="", get=get, renew=None, clock=lambda: 0.0)
    checked = check_each(checker, store.accounts(), lambda: done.append(None))
    assert [each.account.label for each in checked] == [f"{n:02}" for n in range(2 * AT_ONCE)]
    assert len(done) == 2 * AT_ONCE


# --- what is found out -----------------------------------------------------------------------------------------------

EXPIRED = ProviderAnswer(status=401, body=b'{"error": {"code": "token_expired"}}')
INVALIDATED = ProviderAnswer(status=401, body=b'{"error": {"code": "token_invalidated"}}')
PAGE = ProviderAnswer(status=401, headers={"content-type": "text/html"}, body=b"<html>no</html>")
USABLE = ProviderAnswer(status=200, body=b'{"rate_limit": null}')
NEW = Renewal(credentials=credentials("new", expires_at=NOW + HOUR, refreshed_at=NOW))
REUSED = Renewal(ended="refresh_token_reused", detail="401 refresh_token_reused")


def check(store: Store, seat: Account, answers: list[ProviderAnswer], renewal: Renewal) -> Checked:
    """One check of an account, upstream's answers in turn, and what a renewal comes to."""

    def renew(key: str, stale: Credentials, reason: str) -> Renewal:
        if renewal.credentials is not None:
            store.save_credentials(key, renewal.credentials, replaces=stale.refresh).result()
        elif renewal.ended:
            store.end_renewals(key, stale.refresh, renewal.ended, NOW).result()
        return renewal

    left = iter(answers)
    checker = Checker(store=store, url="", get=lambda *_: next(left), renew=renew, clock=lambda: NOW)
    (checked,) = check_each(checker, [seat])
    return checked


def put(store: Store, **login: object) -> Account:
    seat = built("a")
    store.put_account(seat, credentials("a", **{"expires_at": NOW + HOUR, **login})).result()
    return seat


def standing(store: Store) -> tuple[Standing, str]:
    (seat,) = store.accounts()
    return seat.standing, seat.standing_reason


@pytest.mark.parametrize("second", [PAGE, EXPIRED, ProviderAnswer(status=401)])
def test_a_new_token_that_is_refused_without_a_word_of_the_provider_says_nothing(
    store: Store, second: ProviderAnswer
) -> None:
    checked = check(store, put(store), [PAGE, second], NEW)
    assert (checked.finding.verdict, in_words(checked, NOW)) == (Verdict.UNKNOWN, "cannot tell")
    assert "with a new token too" in checked.finding.detail
    assert standing(store) == (Standing.GOOD, "")


def test_a_new_token_that_is_invalidated_is_the_provider_s_word(store: Store) -> None:
    checked = check(store, put(store), [EXPIRED, INVALIDATED], NEW)
    assert standing(store) == (Standing.NEEDS_LOGIN, "token_invalidated")
    assert hints([checked]) == [str(LoginNeeded("a", "token_invalidated"))]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (PAGE, (Standing.GOOD, "")),
        (EXPIRED, (Standing.NEEDS_LOGIN, "refresh_token_reused")),
        (INVALIDATED, (Standing.NEEDS_LOGIN, "refresh_token_reused")),
    ],
)
def test_an_account_whose_renewal_is_refused_needs_a_login_when_its_token_is_over_too(
    store: Store, first: ProviderAnswer, expected: tuple[Standing, str]
) -> None:
    """A page does not say so: until its end the token may serve."""
    checked = check(store, put(store), [first], REUSED)
    assert standing(store) == expected
    assert "refresh: 401 refresh_token_reused" in checked.finding.detail


def test_a_token_that_is_over_and_cannot_be_renewed_needs_a_login(store: Store) -> None:
    check(store, put(store, expires_at=NOW), [], REUSED)
    assert standing(store) == (Standing.NEEDS_LOGIN, "refresh_token_reused")


def test_the_last_of_a_token_is_asked_with(store: Store) -> None:
    """Its renewal was refused a moment ago, or long before."""
    told = [
        check(store, put(store, expires_at=NOW + 30), [USABLE], REUSED),
        check(store, put(store, expires_at=NOW + 30, ended="invalid_grant"), [USABLE], NEW),
    ]
    assert {each.finding.verdict for each in told} == {Verdict.USABLE}
    assert all("then needs a login" in in_words(each, NOW) for each in told)
    assert standing(store) == (Standing.GOOD, "")


@pytest.mark.parametrize("marked", [Standing.NEEDS_LOGIN, Standing.DEACTIVATED])
def test_an_account_that_is_well_again_loses_its_mark_and_the_history_says_so(store: Store, marked: Standing) -> None:
    seat = put(store)
    store.set_standing(seat.key, marked, "account_deactivated").result()
    check(store, *store.accounts(), [USABLE], NEW)
    assert standing(store) == (Standing.GOOD, "")
    told = {event.kind: event.detail for event in store.events(9)}
    assert told["recovered"] == f"it was marked {marked.replace('_', ' ')} account_deactivated"


@pytest.mark.parametrize(
    "answer",
    [
        ProviderAnswer(status=402, headers={"content-type": "text/html"}, body=b"<html>pay</html>"),
        ProviderAnswer(status=402),
        ProviderAnswer(status=403, body=b"<html>"),
        ProviderAnswer(status=404),
        ProviderAnswer(status=503),
        ProviderAnswer(status=200, body=b"{}"),
        ProviderAnswer(status=200, body=b"<html>"),
        ProviderAnswer(status=200, body=b'{"rate_limit": [7]}'),
    ],
)
@pytest.mark.parametrize("marked", list(Standing))
def test_what_says_nothing_changes_nothing(store: Store, answer: ProviderAnswer, marked: Standing) -> None:
    seat = put(store)
    store.set_standing(seat.key, marked, "why").result()
    checked = check(store, *store.accounts(), [answer], NEW)
    assert in_words(checked, NOW) == "cannot tell"
    assert str(answer.status) in detail(checked)
    assert standing(store) == (marked, "why")


def test_a_word_of_the_provider_closes_an_account(store: Store) -> None:
    body = b'{"detail": {"code": "deactivated_workspace"}}'
    check(store, put(store), [ProviderAnswer(status=402, body=body)], NEW)
    assert standing(store) == (Standing.DEACTIVATED, "deactivated_workspace")


# --- many ------------------------------------------------------------------------------------------------------------


def test_being_stopped_finishes_what_was_begun_and_begins_nothing_more(store: Store) -> None:
    filled(store, 5 * AT_ONCE)
    asked: list[str] = []
    gate = threading.Event()

    def get(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        asked.append(headers["authorization"])
        if len(asked) > 1:
            assert gate.wait(PATIENCE)
        return answer_usage(url, headers)

    def interrupted() -> None:
        gate.set()
        raise KeyboardInterrupt

    checker = Checker(store=store, url="", get=get, renew=lambda *_: Renewal(), clock=lambda: 0.0)
    with pytest.raises(KeyboardInterrupt):
        check_each(checker, store.accounts(), interrupted)
    assert len(asked) < 5 * AT_ONCE
    assert len(store.events(99)) == len(asked)
