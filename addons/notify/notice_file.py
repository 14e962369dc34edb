"""The list of what has happened, as the proxies of one home share it: a small file, changed by one at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from accounts.notices.kept_text import as_text, from_text
from accounts.notices.occurrences import Occurrences
from config.files import write_private
from config.paths import PRIVATE_FILE

LOCK_SECONDS: Final = 5.0
LARGEST: Final = 8 << 20
"""Bytes. What is larger is not ours."""


class NoticeFile:
    """It need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Occurrences:
        """Nothing of a file that is damaged. Raises OSError for one that cannot be read."""
        try:
            with self.path.open("rb") as file:
                return from_text(file.read(LARGEST))
        except FileNotFoundError:
            return ()

    def change[T](self, work: Callable[[Occurrences], tuple[Occurrences, T]]) -> T:
        """Put what `work` makes of the list in its place, and return what it says beside. It may be asked twice.

        Raises OSError when the disk refuses, also while another process changes it for too long."""
        known = self.read()
        after, answer = work(known)
        if after == known:
            return answer
        from filelock import FileLock

        lock = self.path.with_name(f"{self.path.name}.lock")
        with FileLock(lock, timeout=LOCK_SECONDS, mode=PRIVATE_FILE):  # its Timeout is an OSError
            known = self.read()
            after, answer = work(known)
            if after != known:
                write_private(self.path, as_text(after).encode())
        return answer
