"""Follows the table [notify] of config.toml while the proxy runs: whoever changes it need not start it again."""

import logging
from collections.abc import Callable
from pathlib import Path

from config.errors import ConfigError
from config.notify import NotifySettings

logger = logging.getLogger(__name__)


class FollowedSettings:
    """What was `known` when the proxy started, until `file` says something else. `load` raises ConfigError."""

    def __init__(self, known: NotifySettings | None, file: Path, load: Callable[[], NotifySettings | None]) -> None:
        self.known = known
        self._file = file
        self._load = load
        self._stamp: tuple[int, ...] | None = None

    def look(self) -> NotifySettings | None:
        """What holds now; what has held so far where the file has a mistake. Reads the disk: not for the event loop."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return self.known
        self._stamp = stamp
        try:
            found = self._load()
        except ConfigError as e:
            logger.warning("codex-rotate: what [notify] said before goes on to hold: %s", e)
            return self.known
        if found != self.known:
            said = "somebody else is told, or of other things" if found is not None else "nobody is told anything more"
            logger.info("codex-rotate: [notify] has changed: from now on %s", said)
        self.known = found
        return found

    def _stamped(self) -> tuple[int, ...]:
        """Another one after each change, also of who may read it; empty for no file, or one kept from us."""
        try:
            found = self._file.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
