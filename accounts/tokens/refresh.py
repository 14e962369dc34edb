"""Renewing an account's tokens so that none is ever lost: one at a time, re-read under a lock, committed before use.

A refresh token is single-use. Two processes that send the same one lose the account, so the sequence is: take the
account's lock file, read the store again, adopt what somebody else won, only then ask, and commit the answer before
anybody may use it. One that the provider has refused is never sent again, by any process. One whose answer was lost is
asked for once more, if the pool alone holds it and the account would be lost otherwise: the provider may accept it for
a while, once another renewal was answered or after five minutes (sent_marks.py). While an answer is missing, nothing
else is sent to an endpoint that does not speak (endpoint.py). Tokens of
several accounts leave one after another, with a gap between them (send_gap.py), and their answers
are waited for at the same time.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from accounts.errors import AccountBusy, StoreError
from accounts.model import Credentials
from accounts.store.schema import explained
from accounts.tokens import endpoint, oauth
from accounts.tokens.endings import Ending, in_words, is_providers
from accounts.tokens.endpoint import EndpointDoubt, Speaks
from accounts.tokens.lifetime import is_nearly_over
from accounts.tokens.locks import AccountLocks
from accounts.tokens.oauth import Renewal
from accounts.tokens.renewal_queue import RenewalQueue, RenewalWait
from accounts.tokens.send_gap import SendGap
from accounts.tokens.sent_marks import SentMarks
from accounts.tokens.unsaved import UnsavedTokens, Vault
from config import clock as system_clock
from config.network.outbound import way_to
from config.settings import ConfigError

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
"""Long on purpose: an answer that nobody waits for any more is still the only way to the account."""


Post = Callable[[str, dict[str, str], Callable[[], None]], tuple[int, bytes]]
"""Sends a JSON body to an address; gives status and body. Calls its third argument right before the first byte leaves,
and does not send if that raises. Raises OSError when no answer came."""

AT_ONCE: Final = 16
"""So many accounts wait for the endpoint's answers at the same time."""

REFUSED: Final = "unauthorized_recovery"
"""Why a token is renewed that the provider does not take any more."""


class CoOwner(Protocol):
    """Somebody else who may hold the same login: the official client."""

    def adopt(self, key: str) -> None:
        """Store what they have renewed. Called before a token is sent."""

    def tell(self, key: str) -> None:
        """What we have renewed is stored: let them have it too."""


class Nobody:
    """The pool is the only owner."""

    def adopt(self, key: str) -> None:
        pass

    def tell(self, key: str) -> None:
        pass


def post_json(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
    """The real way out. Every failure to get an answer is an OSError, without the address's query or the body."""
    import httpx

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started") and not _is_for_a_proxy(info):
            leaving()

    # No connection is kept: on one that has gone stale a token would be sent to nobody.
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        way = way_to(url)
        opened = way.client(timeout)
    except ConfigError as e:
        raise OSError(str(e)) from None
    try:
        with opened as client, client.stream("POST", url, json=body, extensions={"trace": trace}) as answer:
            return answer.status_code, _body_of(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise OSError(f"{way.failure(e)} at the token endpoint") from None


def _body_of(answer: "httpx.Response") -> bytes:
    """Of a refusal whose words are cut off or cannot be read, nothing: it is an answer all the same."""
    import httpx

    try:
        return answer.read()
    except httpx.HTTPError:
        if answer.is_success:
            raise  # new tokens were in it
        return b""


def _is_for_a_proxy(info: Mapping[str, Any]) -> bool:
    """Whether it is the CONNECT, which bears no token, that is about to be sent."""
    return getattr(info.get("request"), "method", b"") == b"CONNECT"


class Refresher:
    """Renews tokens for the proxy's event loop: one renewal at a time of each account, those of several at once.

    `locks` is the folder of the lock files, `clock` gives seconds since the epoch, `post` is the way out, and `speaks`
    tells whether there is anybody at its end; one without the other is believed. `counted` gives seconds of a clock
    that never jumps. Neither method of `co_owner` may raise.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        vault: Vault,
        locks: Path,
        clock: Callable[[], float],
        post: Post = post_json,
        co_owner: CoOwner | None = None,
        *,
        pause: Callable[[float], None] = system_clock.pause,
        speaks: Speaks | None = None,
        counted: Callable[[], float] = system_clock.monotonic,
    ) -> None:
        self.vault = vault
        self.clock = clock
        self.post = post
        self.co_owner = co_owner or Nobody()
        self._locks = AccountLocks(locks)
        self._gap = SendGap(self._locks, clock, pause)
        self._marks = SentMarks(locks)
        self._unsaved = UnsavedTokens(vault, self._marks, self.co_owner.tell)
        self._doubt = EndpointDoubt(speaks or (endpoint.speaks if post is post_json else _always), counted)
        self._work = _Work()

    async def renew(self, key: str, stale: Credentials, reason: str) -> Renewal:
        """Tokens newer than `stale`. Everybody who asks for the same account meanwhile gets the same answer."""
        work = self._work
        waiting = work.under_way.get(key)
        if waiting is None:
            work.queue.begin(key)
            waiting = asyncio.get_running_loop().run_in_executor(work.threads, self.renew_now, key, stale, reason)
            work.under_way[key] = waiting
            waiting.add_done_callback(lambda _: self._over(key))
        # A client that leaves must not cancel a refresh whose answer others, and the store, need.
        return await asyncio.shield(waiting)

    def renew_now(self, key: str, stale: Credentials, reason: str) -> Renewal:
        """The same, in the caller's thread. Never raises for what a network, a disk or another process can do."""
        try:
            with self._locks.account(key):
                return self._renew_locked(key, stale, reason)
        except AccountBusy:
            return self._adopted(key, stale) or Renewal(detail="another process is refreshing this account")
        except (OSError, StoreError) as e:
            return Renewal(detail=str(e))

    def wait_for(self, key: str, now: float) -> RenewalWait:
        """What a renewal of this account would wait for now. Belongs to the event loop, like `renew`."""
        return self._work.queue.wait_for(key, now)

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Accounts whose newest tokens are in memory only, because the disk refused them."""
        return self._unsaved.keys

    def save_again(self) -> None:
        """Try to store what the disk has refused so far, behind the caller; one try at a time."""
        work = self._work
        if work.saving is None or work.saving.done():
            work.saving = work.threads.submit(self._unsaved.save_all)

    def close(self) -> None:
        """Finish what is under way; the last try for what could not be stored."""
        self._work.threads.shutdown(wait=True)
        self._unsaved.save_all()

    def _over(self, key: str) -> None:
        self._work.under_way.pop(key, None)
        self._work.queue.end(key, self.clock())

    def _renew_locked(self, key: str, stale: Credentials, reason: str) -> Renewal:
        current = self._unsaved.current(key)
        if current is None:
            return Renewal(detail="the account was removed")
        if adopted := self._adopted(key, stale):
            return adopted
        if why := self._must_not_be_sent(key, current):
            return self._ended(key, current, Renewal(ended=why, detail=in_words(why)))
        again = self._marks.times(key, current.refresh) > 0
        if again and reason != REFUSED and not is_nearly_over(current, self.clock()):
            said = in_words(Ending.CUT_OFF)
            return Renewal(detail=f"{said}; it is asked for once more when the token is nearly over")
        if again and (seconds := self._marks.wait_for(key, self.clock())):
            said = f"{in_words(Ending.CUT_OFF)}; it is asked for once more when another renewal was answered"
            return Renewal(detail=f"{said}, or in {math.ceil(seconds / 60)} min")
        renewal = self._asked(key, current, reason, again=again)
        # Outside our locks the official client may have been faster.
        return renewal if renewal.credentials is not None else self._adopted(key, stale) or renewal

    def _asked(self, key: str, current: Credentials, reason: str, *, again: bool) -> Renewal:
        """Send the token, and keep what it brings. `again`: for the second and last time."""
        sent, url = False, oauth.token_url()

        def leaving() -> None:
            nonlocal sent
            with explained(self._marks.folder):
                self._gap.wait()
            self._doubt.check(url, last=again)
            with explained(self._marks.folder):
                self._marks.set(key, current.refresh)
            self._work.queue.sent(key, self.clock())
            sent = True

        try:
            status, body = self.post(url, oauth.refresh_body(current, reason), leaving)
        except OSError as e:
            if not sent:
                raise  # nothing has left: the token is as good as before
            self._doubt.lost()
            lost = Renewal(detail=f"the answer was lost: {e}")
            if current.own and not again:
                self._marks.lost(key, self.clock())
                return lost  # its mark stays
            return self._ended(key, current, replace(lost, ended=Ending.CUT_OFF))
        self._doubt.answered()
        self._marks.answered()
        renewal = oauth.read_renewal(status, body, current, self.clock(), key)
        if renewal.credentials is not None:
            kept = self._unsaved.keep(key, renewal.credentials, current.refresh)
            return kept or (self._ended(key, current, renewal) if renewal.ended else renewal)
        if renewal.rotated:
            self._unsaved.keep(key, replace(current, refresh=renewal.rotated), current.refresh)
        elif again:  # whatever it says of this token is said of one that had left before
            why = Ending.CUT_OFF if is_providers(renewal.ended) else renewal.ended or Ending.CUT_OFF
            return self._ended(key, current, replace(renewal, ended=why))
        elif renewal.ended:
            self._ended(key, current, renewal)
        else:
            self._marks.clear(key)
        return renewal

    def _must_not_be_sent(self, key: str, current: Credentials) -> str:
        """Why this token is never sent again, "" if it may be sent. One that was used before has come back, from a
        backup or a file."""
        if current.ended or not current.refresh:
            return current.ended or Ending.NO_TOKEN
        if self._marks.times(key, current.refresh) > (1 if current.own else 0):
            return Ending.CUT_OFF
        spent = self.vault.spent([current.refresh]) or self._marks.is_spent(key, current.refresh)
        return Ending.USED_BEFORE if spent else ""

    def _ended(self, key: str, current: Credentials, renewal: Renewal) -> Renewal:
        """The renewal, once every process knows that this token is not sent again. While the disk refuses to hold that,
        the mark of its sending does."""
        try:
            self.vault.end_renewals(key, current.refresh, renewal.ended, self.clock()).result()
        except StoreError:
            return renewal
        self._marks.clear(key)
        return renewal

    def _adopted(self, key: str, stale: Credentials) -> Renewal | None:
        """What somebody else has won meanwhile: another process of ours, or the login's other owner."""
        current = self._unsaved.current(key)
        if current is not None and current.access == stale.access and not current.own:
            self.co_owner.adopt(key)
            current = self._unsaved.current(key)
        if current is not None and current.access != stale.access:
            return Renewal(credentials=current, detail="adopted")
        return None


def _always(_: str) -> bool:
    return True


class _Work:
    """What is under way: each account's renewal once, and at most one try to store what the disk has refused."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="codex-rotate-refresh")
        self.under_way: dict[str, asyncio.Future[Renewal]] = {}
        self.queue = RenewalQueue()
        self.saving: Future[None] | None = None
