"""What was sent and not yet answered, on disk: so that no refresh token is sent twice, whatever kills the process.

A refresh token is single-use. Between sending it and storing what it bought lies a moment in which a crash leaves it
spent with nobody the wiser. A mark is written and flushed before the token is sent, and removed when an answer is
stored. A token that is still marked when somebody wants to send it again was cut off: it is not sent a second time,
because a reused token can cost every login of its family. Marks hold a digest, never the token.
"""

import contextlib
import hashlib
from pathlib import Path

from accounts.model import fingerprint
from config import paths
from config.files import sync_folder, write_private


class SentMarks:
    """Marks in a private folder, one small file per account. Raises OSError when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_sent(self, key: str, refresh: str) -> bool:
        """Whether this very token was sent before and never answered."""
        try:
            return self._file(key).read_text("ascii") == fingerprint(refresh)
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    def set(self, key: str, refresh: str) -> None:
        """To be called before sending; back only when it is on the disk."""
        paths.make_private_folder(self.folder)
        write_private(self._file(key), fingerprint(refresh).encode())
        sync_folder(self.folder)

    def clear(self, key: str) -> None:
        """There was an answer, or nothing was sent. A mark that stays does no harm once the token is another one."""
        with contextlib.suppress(OSError):
            self._file(key).unlink()

    def _file(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.sent"
