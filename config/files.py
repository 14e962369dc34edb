"""Writing a file of ours as a whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def _nothing(written: Path) -> None:
    pass


def write_private(path: Path, content: bytes, last: Callable[[Path], object] = _nothing) -> None:
    """Put `content` there for its owner only, never readable by others, not even for a moment.

    `last` is called with the finished file right before it gets its name; what it raises leaves everything as it was.
    Raises OSError when the disk refuses.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")  # 0600 by itself
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        last(written)
        written.replace(path)
    finally:
        with suppress(OSError):
            written.unlink()
