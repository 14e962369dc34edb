"""Lock files: one per account, and one for the moment in which a refresh token leaves this machine."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from accounts.errors import AccountBusy
from accounts.store.schema import trouble
from config import paths

LOCK_SECONDS: Final = 8.0
"""Shorter than the 15 s the client gives a WebSocket to open (docs/codex-wire.md section 3)."""
QUEUE_SECONDS: Final = 60.0
"""For the moment of sending, which many accounts may be queued for after a night: a token each half second."""


class AccountLocks:
    """The locks in a private folder. Whoever changes or ends the tokens of an account holds the account's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def account(self, key: str) -> Iterator[None]:
        """Alone with this account's tokens among all processes. Raises AccountBusy, or StoreUnusable."""
        with self._held(hashlib.sha256(key.encode()).hexdigest()[:16], LOCK_SECONDS):
            yield

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Nobody else on this machine sends a refresh token meanwhile. For a moment only. Raises as `account` does."""
        with self._held("refresh", QUEUE_SECONDS):
            yield

    @contextmanager
    def _held(self, name: str, seconds: float) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{name}.lock", timeout=seconds, mode=paths.PRIVATE_FILE)
        try:
            paths.make_private_folder(self.folder)
            lock.acquire()
        except Timeout:
            raise AccountBusy from None
        except OSError as e:
            raise trouble(self.folder, e) from e
        try:
            yield
        finally:
            lock.release()
