"""Writing a file of ours as a whole or not at all, for its owner only."""

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from config.paths import PRIVATE_FILE

UNFINISHED: Final = ".unfinished-"
ABANDONED_SECONDS: Final = 3600.0
"""A file that nobody has finished in this time belongs to a process that was killed."""

type Put = Callable[[Path, Path], object]
"""Gives the finished file its name."""


def _nothing(written: Path) -> None:
    pass


def write_private(
    path: Path, content: bytes, last: Callable[[Path], object] = _nothing, *, put: Put = Path.replace
) -> None:
    """Put `content` there for its owner only, never readable by others, not even for a moment.

    `last` is called with the finished file right before it gets its name by `put`; what either raises leaves everything
    as it was. Raises OSError when the disk refuses.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)  # 0600 by itself
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        last(written)
        put(written, path)
    finally:
        with suppress(OSError):
            written.unlink()


def sweep_unfinished(folder: Path, now: float) -> int:
    """Take away what `write_private` could not finish in this folder, as its process was killed; how many."""
    swept = 0
    for each in folder.glob(f"{UNFINISHED}*") if folder.is_dir() else ():
        with suppress(OSError):
            found = each.lstat()
            if stat.S_ISREG(found.st_mode) and now - found.st_mtime > ABANDONED_SECONDS:
                each.unlink()
                swept += 1
    return swept


def put_new(written: Path, path: Path) -> None:
    """For `write_private`: only where nothing is yet. Raises FileExistsError."""
    try:
        path.hardlink_to(written)  # unlike a rename it refuses, in one step, what is there already
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError from None
        written.replace(path)


def claim_private(path: Path, *, new: bool = True) -> None:
    """An empty file, to be filled in place by what cannot write elsewhere first, as SQLite. Raises FileExistsError for
    one that should be `new`."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | (os.O_EXCL if new else 0), PRIVATE_FILE))


def sync_folder(folder: Path) -> None:
    """So that a name outlives a power cut too, where the system can. Raises OSError."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
