"""What was sent and not yet answered, on disk: so that no refresh token is sent twice, whatever kills the process.

A refresh token is single-use. Between sending it and storing what it bought lies a moment in which a crash leaves it
spent with nobody the wiser. A mark is written and flushed before the token is sent, and removed when an answer is
stored. A token that is still marked when somebody wants to send it again was cut off: a reused token can cost every
login of its family, so it is asked for once more at most, by a mark of its own, and never a third time. Marks hold a
digest, never the token.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Final

from accounts.model import fingerprint
from config import paths
from config.files import sync_folder, write_private

_ONCE: Final = "sent"
_AGAIN: Final = "again"


class SentMarks:
    """Marks in a private folder, one small file per account and sending. Raises OSError when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def times(self, key: str, refresh: str) -> int:
        """How often this very token was sent and never answered: 0, 1 or 2."""
        for times, ending in ((2, _AGAIN), (1, _ONCE)):
            with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
                if self._file(key, ending).read_text("ascii") == fingerprint(refresh):
                    return times
        return 0

    def set(self, key: str, refresh: str) -> None:
        """To be called before sending; back only when it is on the disk."""
        paths.make_private_folder(self.folder)
        ending = _AGAIN if self.times(key, refresh) else _ONCE
        write_private(self._file(key, ending), fingerprint(refresh).encode())
        sync_folder(self.folder)

    def clear(self, key: str) -> None:
        """There was an answer, or nothing was sent. A mark that stays does no harm once the token is another one."""
        for ending in (_ONCE, _AGAIN):  # in this order: what is left of two by a crash still forbids a third
            with contextlib.suppress(OSError):
                self._file(key, ending).unlink()

    def _file(self, key: str, ending: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.{ending}"
