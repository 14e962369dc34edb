"""A token endpoint that counts, and what renews tokens at it."""

import asyncio
import functools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from accounts.model import Credentials
from accounts.store.store import Store
from accounts.tokens import refresh
from accounts.tokens.refresh import Refresher
from tests.builders import NOW, key_of

A, B = key_of("a"), key_of("b")
WAIT = 10.0
"""Seconds after which a test that hangs fails."""


class Endpoint:
    """Hands out single-use refresh tokens, and counts how often each was sent."""

    def __init__(self, *valid: str) -> None:
        self.valid = set(valid)
        self.sent: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.threads: set[int] = set()
        self.status = 200
        self.body = b'{"error": {"code": "server_error"}}'
        """With every other status."""
        self.before: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def __call__(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        self.before()
        leaving()
        with self._lock:
            self.threads.add(threading.get_ident())
            sent = body["refresh_token"]
            self.sent[sent] += 1
            self.reasons.append(body["refresh_reason"])
            if self.status != 200:
                return self.status, self.body
            if sent not in self.valid:
                return 401, b'{"error": {"code": "refresh_token_reused"}}'
            self.valid.remove(sent)
            new = f"{sent}+"
            self.valid.add(new)
            return 200, json.dumps({"access_token": f"access-for-{new}", "refresh_token": new}).encode()


@contextmanager
def asking(
    store: Store, post: refresh.Post, speaks: Callable[[str], bool] | None, now: Callable[[], float] = lambda: NOW
) -> Iterator[Refresher]:
    folder = store.path.parent / "locks"
    made = Refresher(store, folder, now, post, pause=lambda _: None, speaks=speaks, counted=now)
    try:
        yield made
    finally:
        made.close()


def refresher(
    store: Store, post: refresh.Post, now: Callable[[], float] = lambda: NOW
) -> AbstractContextManager[Refresher]:
    return asking(store, post, None, now)


def stored(store: Store, key: str = A) -> Credentials:
    found = store.credentials(key)
    assert found is not None
    return found


async def reached(event: threading.Event) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, functools.partial(event.wait, WAIT))
