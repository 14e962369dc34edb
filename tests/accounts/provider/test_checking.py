"""Accounts are asked at once, tokens renewed one by one, and what was begun is finished."""

import threading
from collections.abc import Mapping

import pytest

from accounts.model import Credentials
from accounts.provider.checking import AT_ONCE, Checker, check_each
from accounts.provider.usage import ProviderAnswer
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
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


def test_renewals_do_not_overlap(store: Store) -> None:
    """A second one within the first would wait for a lock that gives up after a while."""
    filled(store, AT_ONCE)
    under_way = threading.Lock()

    def renew(key: str, stale: Credentials, reason: str) -> Renewal:
        assert under_way.acquire(blocking=False), "two at once"
        under_way.release()
        return Renewal(detail="later")

    def refuse(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        return ProviderAnswer(status=401)

    checker = Checker(store=store, url="", get=refuse, renew=renew, clock=lambda: 0.0)
    assert {each.finding.detail for each in check_each(checker, store.accounts())} == {"refresh: later"}


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
