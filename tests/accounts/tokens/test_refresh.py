"""A refresh token is spent once, whoever asks, and what it buys is kept before anybody may use it."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import filelock
import pytest

from accounts.model import Credentials
from accounts.store import schema
from accounts.store.store import Store
from accounts.tokens import locks
from accounts.tokens.endings import Ending
from accounts.tokens.oauth import Renewal
from accounts.tokens.refresh import Refresher
from accounts.tokens.send_gap import SEND_GAP
from accounts.tokens.sent_marks import LAST_CHANCE, SentMarks
from tests.accounts.tokens.refreshing import A, B, Endpoint, asking, refresher, stored
from tests.builders import NOW, Clock, account, credentials, key_of, planted, token


def test_what_is_won_is_stored_before_it_is_given_out(store: Store, endpoint: Endpoint) -> None:
    with refresher(store, endpoint) as r:
        renewal = r.renew_now(A, credentials("a"), "unauthorized_recovery")
    assert renewal.credentials == stored(store)
    assert stored(store).refresh == credentials("a").refresh + "+"
    assert stored(store).refreshed_at == NOW
    assert endpoint.reasons == ["unauthorized_recovery"]


def test_a_token_that_another_process_stored_is_adopted_without_asking(store: Store, endpoint: Endpoint) -> None:
    newer = credentials("newer")
    store.save_credentials(A, newer, replaces=credentials("a").refresh).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(credentials=newer, detail="adopted")
    assert not endpoint.sent


def test_a_token_stored_while_we_asked_wins(store: Store, endpoint: Endpoint) -> None:
    """Compare and swap is lost: a login was imported meanwhile."""
    newer = credentials("newer")
    endpoint.before = lambda: store.put_account(account("a"), newer).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(credentials=newer, detail="adopted")
    assert stored(store) == newer


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_refusal_is_forgotten_when_somebody_else_has_won_meanwhile(
    store: Store, endpoint: Endpoint, status: int
) -> None:
    newer = credentials("newer")
    endpoint.status = status
    endpoint.before = lambda: store.put_account(account("a"), newer).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(credentials=newer, detail="adopted")


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
def test_a_tired_endpoint_is_asked_again(store: Store, endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    with refresher(store, endpoint) as r:
        for _ in range(2):
            assert r.renew_now(A, credentials("a"), "x") == Renewal(detail=f"{status} server_error")
    assert stored(store) == credentials("a")
    assert endpoint.sent == {credentials("a").refresh: 2}


def test_a_refused_token_is_sent_once_and_never_again(store: Store, endpoint: Endpoint) -> None:
    """Not after a restart, not by another process, not when an old copy comes back. The account keeps its token."""
    endpoint.status, endpoint.body = 401, b'{"error": {"code": "refresh_token_reused"}}'
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(
            ended="refresh_token_reused", detail="401 refresh_token_reused"
        )
    assert stored(store) == credentials("a", ended="refresh_token_reused")
    with Store(store.path) as other, refresher(other, endpoint) as again:
        assert again.renew_now(A, credentials("a"), "x").ended == "refresh_token_reused"
        other.put_account(account("a"), credentials("a")).result()
        assert again.renew_now(A, credentials("a"), "x").ended == Ending.USED_BEFORE
    assert endpoint.sent == {credentials("a").refresh: 1}
    assert store.spent([credentials("a").refresh]) == {credentials("a").refresh: A}
    assert store.spent([credentials("a").refresh], only_replaced=True) == {}


def test_a_refused_token_is_not_sent_again_when_the_disk_refuses_to_know_it(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0)
    endpoint.status, endpoint.body = 400, b'{"error": "invalid_grant"}'
    with Store(tmp_path / "other" / "pool.db") as store, closing(sqlite3.connect(store.path)) as busy:
        store.put_account(account("a"), credentials("a")).result()
        endpoint.before = lambda: busy.execute("BEGIN IMMEDIATE")
        with refresher(store, endpoint) as r:
            try:
                assert r.renew_now(A, credentials("a"), "x").ended == "invalid_grant"
            finally:
                busy.rollback()
            assert stored(store).renewable
            assert r.renew_now(A, credentials("a"), "x").ended == Ending.CUT_OFF
    assert sum(endpoint.sent.values()) == 1


def test_tokens_of_another_account_are_not_stored_and_the_one_that_was_sent_is_spent(
    store: Store, endpoint: Endpoint
) -> None:
    def mixed_up(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        endpoint(url, body, leaving)
        access = token({"chatgpt_account_id": "acct-b", "chatgpt_user_id": "user-b"})
        return 200, json.dumps({"access_token": access, "refresh_token": "refresh-of-b"}).encode()

    with refresher(store, mixed_up) as r:
        for _ in range(2):
            assert r.renew_now(A, credentials("a"), "x").ended == Ending.OTHER_ACCOUNT
    assert stored(store) == credentials("a", ended=Ending.OTHER_ACCOUNT)
    assert endpoint.sent == {credentials("a").refresh: 1}


def test_what_replaced_a_token_in_an_answer_that_is_no_use_is_what_is_sent_next(
    store: Store, endpoint: Endpoint
) -> None:
    def unusable(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        _, answer = endpoint(url, body, leaving)
        return 200, json.dumps({**json.loads(answer), "access_token": "two\nlines"}).encode()

    with refresher(store, unusable) as r:
        assert r.renew_now(A, credentials("a"), "x").credentials is None
    assert stored(store) == credentials("a", refresh=credentials("a").refresh + "+")
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, stored(store), "x").credentials == stored(store)
    assert set(endpoint.sent.values()) == {1}


def test_a_new_login_can_be_renewed_again(store: Store, endpoint: Endpoint) -> None:
    store.end_renewals(A, credentials("a").refresh, "invalid_grant", NOW).result()
    store.put_account(account("a"), credentials("b")).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("b"), "x").credentials == stored(store)
    assert stored(store).renewable


def test_a_login_without_a_refresh_token_sends_nothing(store: Store, endpoint: Endpoint) -> None:
    store.put_account(account("a"), credentials("a", refresh="")).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a", refresh=""), "x").ended == Ending.NO_TOKEN
    assert not endpoint.sent


def test_no_connection_is_no_verdict_and_the_token_can_be_sent_later(store: Store, endpoint: Endpoint) -> None:
    def unreachable(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise OSError("ConnectError at the token endpoint")

    with refresher(store, unreachable) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(detail="ConnectError at the token endpoint")
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x").credentials == stored(store)


def test_a_token_whose_answer_was_lost_is_never_sent_again(store: Store, endpoint: Endpoint) -> None:
    """Nobody knows whether it is spent, and a reused token can cost every login of its family."""

    def lost(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        endpoint(url, body, leaving)
        raise OSError("ReadTimeout at the token endpoint")

    with refresher(store, lost) as r:
        assert r.renew_now(A, credentials("a"), "x").dead
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x").ended == Ending.CUT_OFF
    assert endpoint.sent == {credentials("a").refresh: 1}
    assert stored(store).ended == Ending.CUT_OFF


class Grace:
    """An endpoint whose answers are lost on the way as often as it is told; with `grace` it gives the same again."""

    def __init__(self, endpoint: Endpoint, lost: int, *, grace: bool) -> None:
        self.endpoint, self.lost, self.grace = endpoint, lost, grace
        self.gave: dict[str, tuple[int, bytes]] = {}

    def __call__(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        token = body["refresh_token"]
        answer = self.endpoint(url, body, leaving)
        if self.grace:
            answer = self.gave.setdefault(token, answer)
        if self.lost:
            self.lost -= 1
            raise OSError("ReadTimeout at the token endpoint")
        return answer


OVER = NOW - 1


def own(store: Store, **changes: object) -> Credentials:
    login = credentials("a", own=True, **changes)
    store.put_account(account("a"), login).result()
    return login


def test_a_lost_answer_of_our_own_login_is_asked_for_once_more_when_the_account_would_be_lost(
    store: Store, endpoint: Endpoint
) -> None:
    login, post, clock = own(store, expires_at=NOW + 3600), Grace(endpoint, 1, grace=True), Clock()
    with refresher(store, post, clock) as r:
        assert not r.renew_now(A, login, "x").ended
        waits = r.renew_now(A, login, "x")
        assert (waits.credentials, waits.ended, "once more" in waits.detail) == (None, "", True)
        assert sum(endpoint.sent.values()) == 1
        own(store, expires_at=OVER)
        clock.advance(LAST_CHANCE)
        assert r.renew_now(A, stored(store), "x").credentials == stored(store)
    assert endpoint.sent == {login.refresh: 2}
    assert stored(store).refresh == login.refresh + "+"


def test_a_token_that_is_refused_may_be_renewed_by_a_second_sending_before_it_is_over(
    store: Store, endpoint: Endpoint
) -> None:
    login, post, clock = own(store, expires_at=NOW + 3 * LAST_CHANCE), Grace(endpoint, 1, grace=True), Clock()
    with refresher(store, post, clock) as r:
        r.renew_now(A, login, "x")
        clock.advance(LAST_CHANCE)
        assert r.renew_now(A, login, "unauthorized_recovery").credentials == stored(store)


@pytest.mark.parametrize("said", ["lost", "refresh_token_reused", "503"])
def test_there_is_no_third_time_whatever_came_of_the_second_and_whoever_asks(
    store: Store, endpoint: Endpoint, said: str
) -> None:
    """And it is our own doing, not called signed out by the provider."""
    login, post = own(store, expires_at=OVER), Grace(endpoint, 2 if said == "lost" else 1, grace=False)
    clock = Clock()
    with refresher(store, post, clock) as r:
        r.renew_now(A, login, "x")
    if said == "503":
        endpoint.status = 503
    clock.advance(LAST_CHANCE)
    for _ in range(3):
        with Store(store.path) as other, refresher(other, post, clock) as again:
            assert again.renew_now(A, login, "unauthorized_recovery").ended == Ending.CUT_OFF
    assert endpoint.sent == {login.refresh: 2}
    assert stored(store).ended == Ending.CUT_OFF


def test_no_token_leaves_for_its_last_time_to_an_endpoint_that_does_not_speak(store: Store, endpoint: Endpoint) -> None:
    """However often it is wanted, also after a restart: the second chance is kept for when there is somebody."""
    login, post, up, clock = own(store, expires_at=OVER), Grace(endpoint, 1, grace=True), [False], Clock()
    for _ in range(3):
        with asking(store, post, lambda _: up[0], clock) as r:
            for _ in range(3):
                assert not r.renew_now(A, login, "unauthorized_recovery").ended
        clock.advance(LAST_CHANCE)
    assert endpoint.sent == {login.refresh: 1}
    up[0] = True
    with asking(store, post, lambda _: up[0], clock) as r:
        assert r.renew_now(A, login, "x").credentials == stored(store)


def test_after_an_answer_was_lost_no_other_account_s_token_leaves_until_the_endpoint_speaks(
    store: Store, endpoint: Endpoint
) -> None:
    up, asked = False, list[str]()

    def speaks(url: str) -> bool:
        asked.append(url)
        return up

    with asking(store, Grace(endpoint, 1, grace=False), speaks) as r:
        r.renew_now(A, credentials("a"), "x")
        assert not asked
        waits = r.renew_now(B, credentials("b"), "x")
        assert (waits.credentials, waits.ended, "does not answer" in waits.detail) == (None, "", True)
        assert SentMarks(store.path.parent / "locks").times(B, credentials("b").refresh) == 0
        up = True
        for _ in range(2):
            renewed = stored(store, B)
            assert r.renew_now(B, renewed, "x").credentials == stored(store, B) != renewed
    assert len(asked) == 2, "what has answered is not asked again"


def test_what_drops_tokens_only_costs_nothing_where_the_provider_takes_them_again(
    store: Store, endpoint: Endpoint
) -> None:
    """However often they are wanted: the question is answered all the time, and says nothing of tokens. Each is sent
    once, and once more when another one was answered."""
    logins = {A: own(store, expires_at=OVER), B: credentials("b", own=True, expires_at=OVER)}
    store.put_account(account("b"), logins[B]).result()
    clock, post = Clock(), Grace(endpoint, 2, grace=True)
    with refresher(store, post, clock) as r:
        for _ in range(10):
            for key, login in logins.items():
                assert r.renew_now(key, login, "unauthorized_recovery").credentials is None
            clock.advance(60)
        assert set(endpoint.sent.values()) == {1}
        store.put_account(account("c"), credentials("c", own=True, expires_at=OVER)).result()
        endpoint.valid.add(credentials("c").refresh)
        clock.advance(600)
        assert r.renew_now(key_of("c"), credentials("c"), "x").credentials
        for key, login in logins.items():
            assert r.renew_now(key, login, "x").credentials == stored(store, key)
    assert {endpoint.sent[login.refresh] for login in logins.values()} == {2}


def test_a_kill_is_no_reason_to_wait_for_others(store: Store, endpoint: Endpoint) -> None:
    """Nothing says that the endpoint has lost it."""
    login = own(store, expires_at=OVER)
    SentMarks(store.path.parent / "locks").set(A, login.refresh)
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, login, "x").credentials == stored(store)


def test_a_token_of_an_old_copy_of_the_pool_is_not_sent_though_nothing_in_it_says_that_it_is_spent(
    store: Store, endpoint: Endpoint, tmp_path: Path
) -> None:
    old = credentials("a")
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, old, "x").credentials
    store.remove_account(A).result()
    with Store(store.path.with_name("new.db")) as new:
        new.put_account(account("a"), old).result()
        with refresher(new, endpoint) as r:
            assert r.renew_now(A, old, "x").ended == Ending.USED_BEFORE
    assert endpoint.sent == {old.refresh: 1}


def test_two_sendings_that_a_crash_cut_off_are_the_last(store: Store, endpoint: Endpoint) -> None:
    login = own(store, expires_at=OVER)
    for _ in range(2):
        SentMarks(store.path.parent / "locks").set(A, login.refresh)
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, login, "x").ended == Ending.CUT_OFF
    assert not endpoint.sent


def test_one_that_a_crash_cut_off_is_not_sent_again(store: Store, endpoint: Endpoint) -> None:
    SentMarks(store.path.parent / "locks").set(A, credentials("a").refresh)
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x").ended == Ending.CUT_OFF
    assert not endpoint.sent
    assert stored(store).ended == Ending.CUT_OFF


def test_a_new_login_ends_the_matter(store: Store, endpoint: Endpoint) -> None:
    def lost(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        leaving()
        raise OSError("ReadTimeout at the token endpoint")

    with refresher(store, lost) as r:
        r.renew_now(A, credentials("a"), "x")
    store.put_account(account("a"), credentials("b")).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("b"), "x").credentials == stored(store)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_says_no_for_now_is_asked_again(store: Store, endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x").credentials is None
        endpoint.status = 200
        assert r.renew_now(A, credentials("a"), "x").credentials == stored(store)


def test_an_old_copy_that_has_come_back_is_not_sent(store: Store, endpoint: Endpoint) -> None:
    """From a backup, or a file: its token was used before, and a second use could cost every login of its family."""
    with refresher(store, endpoint) as r:
        r.renew_now(A, credentials("a"), "x")
        store.put_account(account("a"), credentials("a")).result()
        renewal = r.renew_now(A, credentials("a"), "x")
    assert renewal.ended == Ending.USED_BEFORE
    assert endpoint.sent[credentials("a").refresh] == 1


def test_a_removed_account_is_not_asked_for(store: Store, endpoint: Endpoint) -> None:
    store.remove_account(A).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(detail="the account was removed")
    assert not endpoint.sent


def test_an_account_removed_while_we_asked_stays_removed(store: Store, endpoint: Endpoint) -> None:
    endpoint.before = lambda: store.remove_account(A).result()
    with refresher(store, endpoint) as r:
        assert r.renew_now(A, credentials("a"), "x") == Renewal(detail="the account was removed")
    assert store.credentials(A) is None


@pytest.mark.parametrize("won", [True, False])
def test_a_lock_that_stays_is_not_waited_for_for_ever(
    store: Store, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, won: bool
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0)
    name = hashlib.sha256(A.encode()).hexdigest()[:16]
    with refresher(store, endpoint) as r:
        folder = store.path.parent / "locks"
        folder.mkdir()
        with filelock.FileLock(folder / f"{name}.lock"):
            if won:
                store.save_credentials(A, credentials("newer"), replaces=credentials("a").refresh).result()
            renewal = r.renew_now(A, credentials("a"), "x")
    busy = Renewal(detail="another process is refreshing this account")
    assert renewal == (Renewal(credentials=credentials("newer"), detail="adopted") if won else busy)
    assert not endpoint.sent


def test_a_lock_is_shorter_than_the_clients_patience() -> None:
    assert locks.LOCK_SECONDS < 15


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_token_is_in_any_answer_of_ours(store: Store, endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    with refresher(store, endpoint) as r:
        renewal = r.renew_now(A, credentials("a"), "x")
    assert not [secret for secret in planted([credentials("a"), stored(store)]) if secret in repr(renewal)]


def test_a_folder_that_cannot_be_made_is_no_reason_to_raise(store: Store, endpoint: Endpoint) -> None:
    with refresher(store, endpoint) as r:
        (store.path.parent / "locks").write_text("a file is in the way")
        assert r.renew_now(A, credentials("a"), "x").credentials is None


def test_a_spent_token_is_not_lost_when_the_disk_refuses(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint has taken the old token: its answer is the only way to this account that is left."""
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0)
    with Store(tmp_path / "other" / "pool.db") as store, closing(sqlite3.connect(store.path)) as busy:
        store.put_account(account("a"), credentials("a")).result()
        endpoint.before = lambda: busy.execute("BEGIN IMMEDIATE")
        # the same thread for both: SQLite's connections stay in the thread that made them
        with refresher(store, endpoint) as r:
            try:
                renewal = r.renew_now(A, credentials("a"), "x")
            finally:
                busy.rollback()
        assert renewal.credentials is not None
        assert renewal.credentials.refresh in endpoint.valid


def test_tokens_of_two_accounts_leave_with_a_gap_between_them(store: Store, endpoint: Endpoint) -> None:
    waited: list[float] = []
    made = Refresher(store, store.path.parent / "locks", lambda: NOW, endpoint, pause=waited.append)
    for name in "ab":
        assert made.renew_now(key_of(name), credentials(name), "x").credentials is not None
    made.close()
    assert waited == [SEND_GAP]
