"""Renewing an account's tokens so that none is ever lost: one at a time, re-read under a lock, committed before use.

A refresh token is single-use. Two processes that send the same one lose the account, so the sequence is: take the
account's lock file, read the store again, adopt what somebody else won, only then ask, and commit the answer before
anybody may use it. All refreshes of a machine go one after another: siblings renewed at the same instant have cost
whole families of tokens.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol

from accounts.errors import AccountBusy, StoreError
from accounts.model import Credentials
from accounts.tokens import oauth
from accounts.tokens.locks import AccountLocks
from accounts.tokens.oauth import Renewal
from accounts.tokens.sent_marks import SentMarks
from config.network.outbound import way_to
from config.settings import ConfigError

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
"""Long on purpose: an answer that nobody waits for any more is still the only way to the account."""


Post = Callable[[str, dict[str, str], Callable[[], None]], tuple[int, bytes]]
"""Sends a JSON body to an address; gives status and body. Calls its third argument right before the first byte leaves,
and does not send if that raises. Raises OSError when no answer came."""

CUT_OFF: Final = "a refresh was cut off after its token was sent"
USED_UP: Final = "its refresh token was used before"
"""An old copy has come back, from a backup or a file: sent again, it could cost the whole family of logins."""


class Refreshed(Protocol):
    def result(self, timeout: float | None = None) -> bool: ...


class Vault(Protocol):
    """The part of the store a refresh needs."""

    def credentials(self, key: str) -> Credentials | None: ...
    def spent(self, refresh_tokens: Collection[str]) -> Mapping[str, str]: ...
    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Refreshed: ...


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
    except ConfigError as e:
        raise OSError(str(e)) from None
    try:
        with way.client(timeout) as client:
            answer = client.post(url, json=body, extensions={"trace": trace})
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise OSError(f"{way.failure(e)} at the token endpoint") from None
    return answer.status_code, answer.content


def _is_for_a_proxy(info: Mapping[str, Any]) -> bool:
    """Whether it is the CONNECT, which bears no token, that is about to be sent."""
    return getattr(info.get("request"), "method", b"") == b"CONNECT"


class Refresher:
    """Renews tokens for the proxy's event loop: single flight per account, one refresh at a time per machine.

    `locks` is the folder of the lock files, `clock` gives seconds since the epoch, `post` is the way out. Neither
    method of `co_owner` may raise.
    """

    def __init__(
        self,
        vault: Vault,
        locks: Path,
        clock: Callable[[], float],
        post: Post = post_json,
        co_owner: CoOwner | None = None,
    ) -> None:
        self.vault = vault
        self.clock = clock
        self.post = post
        self.co_owner = co_owner or Nobody()
        self._locks = AccountLocks(locks)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="codex-rotate-refresh")
        self._marks = SentMarks(locks)
        self._under_way: dict[str, asyncio.Future[Renewal]] = {}
        self._saving: Future[None] | None = None
        self._unsaved: dict[str, tuple[Credentials, str]] = {}
        """Renewed tokens the disk has refused so far, and the refresh token each replaces there: the only copies."""

    async def renew(self, key: str, stale: Credentials, reason: str) -> Renewal:
        """Tokens newer than `stale`. Everybody who asks for the same account meanwhile gets the same answer."""
        waiting = self._under_way.get(key)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = loop.run_in_executor(self._thread, self.renew_now, key, stale, reason)
            self._under_way[key] = waiting
            waiting.add_done_callback(lambda _: self._under_way.pop(key, None))
        # A client that leaves must not cancel a refresh whose answer others, and the store, need.
        return await asyncio.shield(waiting)

    def renew_now(self, key: str, stale: Credentials, reason: str) -> Renewal:
        """The same, in the caller's thread. Never raises for what a network, a disk or another process can do."""
        try:
            with self._locks.refresh(key):
                return self._renew_locked(key, stale, reason)
        except AccountBusy:
            return self._adopted(key, stale) or Renewal(detail="another process is refreshing this account")
        except (OSError, StoreError) as e:
            return Renewal(detail=str(e))

    @property
    def unsaved(self) -> tuple[str, ...]:
        """Accounts whose newest tokens are in memory only, because the disk refused them."""
        return tuple(self._unsaved)

    def save_again(self) -> None:
        """Try to store what the disk has refused so far, behind the caller; one try at a time."""
        if self._saving is None or self._saving.done():
            self._saving = self._thread.submit(self._save_unsaved)

    def close(self) -> None:
        """Finish what is under way; the last try for what could not be stored."""
        self._thread.submit(self._save_unsaved)
        self._thread.shutdown(wait=True)

    def _renew_locked(self, key: str, stale: Credentials, reason: str) -> Renewal:
        current = self._current(key)
        if current is None:
            return Renewal(detail="the account was removed")
        if adopted := self._adopted(key, stale):
            return adopted
        if why := self._must_not_be_sent(key, current.refresh):
            return Renewal(dead=True, detail=why)
        sent = False

        def leaving() -> None:
            nonlocal sent
            self._marks.set(key, current.refresh)
            sent = True

        try:
            status, body = self.post(oauth.token_url(), oauth.refresh_body(current, reason), leaving)
        except OSError as e:
            if not sent:
                raise  # nothing has left: the token is as good as before
            return self._adopted(key, stale) or Renewal(dead=True, detail=f"the answer was lost: {e}")
        renewal = oauth.read_renewal(status, body, current, self.clock())
        if renewal.credentials is None:
            self._marks.clear(key)
            # Outside our locks the official client may have been faster.
            return self._adopted(key, stale) or renewal
        _, replaces = self._unsaved.get(key, (None, current.refresh))
        self._unsaved[key] = (renewal.credentials, replaces)
        return self._save(key) or renewal

    def _must_not_be_sent(self, key: str, refresh: str) -> str:
        """Why this token would be sent a second time, "" if it would not."""
        if self._marks.is_sent(key, refresh):
            return CUT_OFF
        return USED_UP if self.vault.spent([refresh]) else ""

    def _save(self, key: str) -> Renewal | None:
        """Commit tokens that only we have. None when that is done; else what is true instead."""
        credentials, replaces = self._unsaved[key]
        try:
            saved = self.vault.save_credentials(key, credentials, replaces=replaces).result()
        except StoreError as e:
            return Renewal(credentials=credentials, detail=f"kept in memory, the disk refused it: {e}")
        del self._unsaved[key]
        self._marks.clear(key)
        if saved:
            if not credentials.own:
                self.co_owner.tell(key)
            return None
        current = self.vault.credentials(key)
        return Renewal(credentials=current, detail="adopted" if current else "the account was removed")

    def _save_unsaved(self) -> None:
        for key in tuple(self._unsaved):
            self._save(key)

    def _current(self, key: str) -> Credentials | None:
        """What is true of an account now: what only we have, else what is stored."""
        if key in self._unsaved:
            self._save(key)
        return self._unsaved[key][0] if key in self._unsaved else self.vault.credentials(key)

    def _adopted(self, key: str, stale: Credentials) -> Renewal | None:
        """What somebody else has won meanwhile: another process of ours, or the login's other owner."""
        current = self._current(key)
        if current is not None and current.access == stale.access and not current.own:
            self.co_owner.adopt(key)
            current = self._current(key)
        if current is not None and current.access != stale.access:
            return Renewal(credentials=current, detail="adopted")
        return None
