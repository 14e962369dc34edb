"""Renewing an account's tokens so that none is ever lost: one at a time, re-read under a lock, committed before use.

A refresh token is single-use. Two processes that send the same one lose the account, so the sequence is: take the
account's lock file, read the store again, adopt what somebody else won, only then ask, and commit the answer before
anybody may use it. All refreshes of a process go through one thread: siblings renewed at the same instant have cost
whole families of tokens.
"""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import filelock

from accounts import oauth
from accounts.model import Credentials
from accounts.oauth import Renewal
from config import paths

LOCK_SECONDS: Final = 8.0
"""Shorter than the 15 s the client gives a WebSocket to open (docs/codex-wire.md section 3)."""
ANSWER_SECONDS: Final = 10.0


Post = Callable[[str, dict[str, str]], tuple[int, bytes]]
"""Sends a JSON body to an address; gives status and body. Raises OSError when no answer came."""


class Done(Protocol):
    def result(self, timeout: float | None = None) -> bool: ...


class Vault(Protocol):
    """The part of the store a refresh needs."""

    def credentials(self, key: str) -> Credentials | None: ...
    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Done: ...


def post_json(url: str, body: dict[str, str]) -> tuple[int, bytes]:
    """The real way out. Every failure to get an answer is an OSError, without the address's query or the body."""
    import httpx

    try:
        answer = httpx.post(url, json=body, timeout=ANSWER_SECONDS, follow_redirects=False)
    except httpx.HTTPError as e:
        raise OSError(f"{type(e).__name__} at the token endpoint") from None
    return answer.status_code, answer.content


@dataclass(frozen=True, slots=True)
class Refresher:
    """Renews tokens for the proxy's event loop: single flight per account, one refresh at a time per process."""

    vault: Vault
    locks: Path
    clock: Callable[[], float]
    post: Post
    _thread: ThreadPoolExecutor
    _under_way: dict[str, asyncio.Future[Renewal]]

    @classmethod
    def make(cls, vault: Vault, locks: Path, clock: Callable[[], float], post: Post = post_json) -> "Refresher":
        return cls(vault, locks, clock, post, ThreadPoolExecutor(1, thread_name_prefix="codex-rotate-refresh"), {})

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
        """The same, in the caller's thread. Never raises for what a network or another process can do."""
        paths.make_private_folder(self.locks)
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        try:
            with filelock.FileLock(self.locks / f"{name}.lock", timeout=LOCK_SECONDS, mode=paths.PRIVATE_FILE):
                return self._renew_locked(key, stale, reason)
        except filelock.Timeout:
            return self._adopted(key, stale) or Renewal(detail="another process is refreshing this account")
        except OSError as e:
            return Renewal(detail=str(e))

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _renew_locked(self, key: str, stale: Credentials, reason: str) -> Renewal:
        current = self.vault.credentials(key)
        if current is None:
            return Renewal(detail="the account was removed")
        if current.access != stale.access:
            return Renewal(credentials=current, detail="adopted")
        status, body = self.post(oauth.token_url(), oauth.refresh_body(current, reason))
        renewal = oauth.read_renewal(status, body, current, self.clock())
        if renewal.credentials is None:
            # Somebody outside our locks (the official client) may have won meanwhile.
            return self._adopted(key, stale) or renewal
        if self.vault.save_credentials(key, renewal.credentials, replaces=current.refresh).result():
            return renewal
        return self._adopted(key, stale) or Renewal(detail="the account was removed")

    def _adopted(self, key: str, stale: Credentials) -> Renewal | None:
        current = self.vault.credentials(key)
        if current is not None and current.access != stale.access:
            return Renewal(credentials=current, detail="adopted")
        return None
