"""Many who ask for the same token, or for several, at the same time: each is sent once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.model import Credentials
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from accounts.tokens.renewal_queue import RenewalWait
from accounts.tokens.send_gap import SEND_GAP
from tests.accounts.tokens.refreshing import WAIT, A, B, Endpoint, reached, refresher, stored
from tests.builders import NOW, credentials, key_of


async def test_all_who_ask_at_once_share_one_refresh(store: Store, endpoint: Endpoint) -> None:
    with refresher(store, endpoint) as r:
        renewals = await asyncio.gather(*(r.renew(A, credentials("a"), "x") for _ in range(20)))
    assert endpoint.sent == {credentials("a").refresh: 1}
    assert renewals[0].credentials == stored(store)
    assert all(renewal is renewals[0] for renewal in renewals)


async def test_nobody_waits_for_the_answer_to_another_account(store: Store, endpoint: Endpoint) -> None:
    """The barrier opens only when both are at the endpoint."""
    together = threading.Barrier(2, timeout=WAIT)

    def slow(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        answer = endpoint(url, body, leaving)
        together.wait()
        return answer

    with refresher(store, slow) as r:
        await asyncio.gather(*(r.renew(key_of(name), credentials(name), "x") for name in "ab" for _ in range(3)))
    assert threading.get_ident() not in endpoint.threads
    assert sorted(endpoint.sent.values()) == [1, 1]


async def test_how_long_a_renewal_would_wait_can_be_asked(store: Store, endpoint: Endpoint) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        answer = endpoint(url, body, leaving)
        asked.set()
        assert go.wait(WAIT)
        return answer

    with refresher(store, slow) as r:
        assert r.wait_for(A, NOW) == RenewalWait()
        renewing = asyncio.ensure_future(r.renew(A, credentials("a"), "x"))
        await reached(asked)
        assert r.wait_for(A, NOW + 2) == RenewalWait(under_way=True, sent_for=2.0)
        assert r.wait_for(B, NOW).until_sent == SEND_GAP
        go.set()
        await renewing
        assert r.wait_for(A, NOW) == RenewalWait(usual=0.0)


async def test_a_client_that_leaves_does_not_cancel_the_refresh(store: Store, endpoint: Endpoint) -> None:
    asked, go = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert go.wait(WAIT)

    endpoint.before = before
    with refresher(store, endpoint) as r:
        leaving = asyncio.ensure_future(r.renew(A, credentials("a"), "x"))
        await reached(asked)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        staying = asyncio.ensure_future(r.renew(A, credentials("a"), "x"))
        go.set()
        renewal = await asyncio.wait_for(staying, WAIT)
    assert renewal == Renewal(credentials=stored(store))  # the answer of the refresh that was under way
    assert endpoint.sent == {credentials("a").refresh: 1}


async def test_who_asks_afterwards_with_the_old_token_adopts(store: Store, endpoint: Endpoint) -> None:
    with refresher(store, endpoint) as r:
        first = await r.renew(A, credentials("a"), "x")
        second = await r.renew(A, credentials("a"), "x")
    assert (second.credentials, second.detail) == (first.credentials, "adopted")
    assert sum(endpoint.sent.values()) == 1


async def test_the_next_refresh_of_an_account_is_a_new_one(store: Store, endpoint: Endpoint) -> None:
    with refresher(store, endpoint) as r:
        first = await r.renew(A, credentials("a"), "x")
        assert first.credentials is not None
        second = await r.renew(A, first.credentials, "x")
    assert second.credentials == stored(store)
    assert stored(store).refresh == credentials("a").refresh + "++"


def test_two_processes_never_send_a_token_twice(store: Store, endpoint: Endpoint) -> None:
    """Two stores of one file, each with its refresher, and both ask with the same stale token, round after round."""
    rounds = 12
    together = threading.Barrier(2, timeout=WAIT)

    def process(own: Store) -> list[Credentials | None]:
        won = []
        with refresher(own, endpoint) as r:
            for _ in range(rounds):
                stale = stored(own)
                together.wait()
                won.append(r.renew_now(A, stale, "x").credentials)
                together.wait()
        return won

    with Store(store.path) as other, ThreadPoolExecutor(2) as threads:
        one, two = threads.map(process, (store, other))
    assert set(endpoint.sent.values()) == {1}
    assert len(endpoint.sent) == rounds
    assert one == two
    assert stored(store).refresh in endpoint.valid
