"""What was sent and not yet answered, on disk: so that no refresh token is sent twice, whatever kills the process.

A refresh token is single-use. Between sending it and storing what it bought lies a moment in which a crash leaves it
spent with nobody the wiser. A mark is written and flushed before the token is sent, and removed when an answer is
stored. A token that is still marked when somebody wants to send it again was cut off: a reused token can cost every
login of its family, so it is asked for once more at most, by a mark of its own, and never a third time. If it was seen
that its answer was lost, that waits until some renewal was answered again, or for a while: what has dropped the first
may drop the second.

What an answer has replaced is remembered as well, apart from the pool's file: an old copy of that may come back, and
know nothing of it. Marks hold a digest, never the token.
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
_LOST: Final = "lost"
_SPENT: Final = "spent"

LAST_CHANCE: Final = 300.0
"""Seconds after which a token whose answer was lost may be sent once more although no other was answered since."""
MOST_SPENT: Final = 64
"""Digests that are kept of an account's spent tokens, the newest: of years."""


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
        for ending in (_LOST, _ONCE, _AGAIN):  # in this order: what is left of two by a crash still forbids a third
            with contextlib.suppress(OSError):
                self._file(key, ending).unlink()

    def lost(self, key: str, now: float) -> None:
        """No answer came, and this process has seen it: not only was it killed."""
        with contextlib.suppress(OSError):
            write_private(self._file(key, _LOST), repr(now).encode())

    def wait_for(self, key: str, now: float) -> float:
        """Seconds until its token may be sent once more; 0.0: as far as we know, now."""
        with contextlib.suppress(OSError, ValueError):
            left = float(self._file(key, _LOST).read_text("ascii")) + LAST_CHANCE - now
            return left if 0 < left <= LAST_CHANCE else 0.0  # more: the clock was set back
        return 0.0

    def answered(self) -> None:
        """The endpoint has answered some renewal: whoever waits for that may be asked for once more."""
        with contextlib.suppress(OSError):
            for each in self.folder.glob(f"*.{_LOST}"):
                each.unlink(missing_ok=True)

    def spend(self, key: str, refresh: str) -> None:
        """An answer has replaced this token, and is stored."""
        digest = fingerprint(refresh)
        known = [each for each in self._spent(key) if each != digest]
        with contextlib.suppress(OSError):
            paths.make_private_folder(self.folder)
            lines = "\n".join([*known, digest][-MOST_SPENT:])
            write_private(self._file(key, _SPENT), lines.encode())

    def is_spent(self, key: str, refresh: str) -> bool:
        """Whether one of our answers has replaced this token, however the pool's file looks now."""
        return fingerprint(refresh) in self._spent(key)

    def _spent(self, key: str) -> list[str]:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self._file(key, _SPENT).read_text("ascii").split()
        return []

    def _file(self, key: str, ending: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.{ending}"
