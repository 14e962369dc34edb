"""What running proxies leave for commands to find while they cannot use the pool's file: a note each, told anew as long
as it is so."""

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from accounts.errors import StoreLost
from config import access, paths
from config.files import write_private

BELIEVED_SECONDS: Final = 10.0
"""A note that was not written anew for so long is one of a proxy that was killed."""
_ENDING: Final = ".pool"
_LONGEST: Final = 500


class TroubleNote(NamedTuple):
    """The process that serves from memory, and what is wrong with the file: the rest of a sentence about it."""

    pid: int
    trouble: str


def leave(folder: Path, note: TroubleNote) -> None:
    """Say so, or again; in a home that is there. What the disk refuses is not said."""
    with suppress(OSError):
        if folder.parent.is_dir():
            paths.make_private_folder(folder)
            write_private(_file(folder, note.pid), note.trouble.encode())


def take_away(folder: Path, pid: int) -> None:
    """It is over."""
    with suppress(OSError):
        _file(folder, pid).unlink(missing_ok=True)


def left(folder: Path, now: float) -> tuple[TroubleNote, ...]:
    """The notes that count at `now` (seconds since the epoch), by process."""
    found = []
    for file in folder.glob(f"*{_ENDING}"):
        with suppress(OSError, ValueError):
            if abs(now - file.stat().st_mtime) < BELIEVED_SECONDS:
                text = file.read_bytes()[:_LONGEST].decode("utf-8", "replace")
                found.append(TroubleNote(int(file.stem), "".join(filter(str.isprintable, text))))
    return tuple(sorted(found))


def refuse_where_lost(file: Path, folder: Path, now: float) -> None:
    """Looking at the pool's file must not make a new one where it is gone and a proxy still serves what was in it.
    Raises StoreLost."""
    if (notes := left(folder, now)) and not access.seen(file):
        raise StoreLost(file, f"is gone, and process {notes[0].pid} serves from memory")


def _file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}{_ENDING}"
