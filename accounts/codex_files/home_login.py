"""The login that the pool and the official client share: whichever side renews it first, the other one follows.

The client reads its auth.json again before it renews a token, and again when a renewal is refused, and takes what is
there if it is the same account (docs/codex-wire.md section 4). So the file is where both sides meet: it is read before
a shared token is sent, written as soon as a new one is stored, and looked at again while the proxy runs.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from accounts.codex_files import codex_home
from accounts.codex_files.client_files import Places, Writer
from accounts.codex_files.codex_home import Watch
from accounts.codex_files.reconcile import switched_off
from accounts.errors import VirtualLoginFile
from accounts.store.store import Store
from config.errors import RotateError

logger = logging.getLogger(__name__)


class HomeLogin:
    """Keeps the client's files and the pool in step. What fails is said in the log and tried again at the next look."""

    def __init__(
        self,
        store: Store,
        places: Places,
        writer: Writer,
        clock: Callable[[], float],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.store = store
        self.places = places
        self.writer = writer
        self.clock = clock
        self.environ = environ
        self._one_at_a_time = threading.Lock()
        self._watch = Watch()
        self._behind = True
        """Whether the files may hold what the pool has replaced: at the start, and after a write that failed."""

    def adopt(self, key: str) -> None:
        """Take over what the client has renewed of one account, before our copy of its token is sent."""
        if not switched_off(self.environ):
            self._adopt(only=key)

    def tell(self, key: str) -> None:
        """Give the client what the pool has renewed."""
        if not switched_off(self.environ):
            with self._one_at_a_time:
                self._tell()

    def look(self) -> tuple[str, ...]:
        """Both, where something has changed since the last look. Returns the keys of the accounts taken over."""
        stat = _stat(self.places.auth)
        changed = self._watch.changed(stat)
        if switched_off(self.environ) or not (changed or self._behind):
            return ()
        self._watch = Watch.of(stat)
        adopted = self._adopt() if stat is not None else ()
        with self._one_at_a_time:
            self._tell()
        return adopted

    def _adopt(self, only: str | None = None) -> tuple[str, ...]:
        try:
            return codex_home.adopt(self.store, self.places.auth, self.clock(), only)
        except VirtualLoginFile:
            return ()  # its user has no account, and need not be told
        except RotateError as e:
            logger.warning("codex-rotate: %s", e)
            return ()

    def _tell(self) -> None:
        try:
            written = codex_home.tell(self.store, self.places, self.writer)
        except RotateError as e:
            self._behind = True
            logger.warning("codex-rotate: the official client does not have its renewed login yet. %s", e)
            return
        self._behind = False
        for path in written:
            logger.info("codex-rotate: wrote the renewed login into %s", path)


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
