"""Where a proxy answers the questions of its owner's commands: a Unix socket for its owner only.

It lies beside the proxy's file in our folder. A path that is too long for a socket is shortened by a folder of its own
where the system keeps what lasts as long as a session. Who can open it is the owner, so that a key may be said there.
"""

import errno
import hashlib
import os
import socket
import stat
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from config import paths

MOST_PATH: Final = 100
"""Bytes. Systems allow 104 or 108, with a zero at the end."""
MOST_SAID: Final = 64 * 1024
LIVE: Final = "live"
"""The word that asks for the turns that are under way (accounts/views/live_turns.py), as JSON."""
MOST_LIVE: Final = 4 * 1024 * 1024
"""Bytes of that answer: ten thousand turns."""
SUFFIX: Final = ".sock"
SECONDS: Final = 3.0


def usable() -> bool:
    return os.name == "posix" and hasattr(socket, "AF_UNIX")


def place_for(folder: Path, pid: int) -> Path:
    """Where the socket of this process belongs, in `folder` if its path is short enough. The folder is there then, and
    nobody else's. Raises OSError, also where every path is too long, and UnsafePlace."""
    wanted = folder / f"{pid}{SUFFIX}"
    if len(os.fsencode(wanted)) <= MOST_PATH:
        paths.make_private_folder(folder)
        return wanted
    name = f"codex-rotate-{os.geteuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    short = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / name
    if len(os.fsencode(short / wanted.name)) > MOST_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(short))
    with suppress(FileExistsError):
        short.mkdir(mode=paths.PRIVATE_FOLDER)
    _check_own(short)
    return short / wanted.name


def listening(place: Path) -> socket.socket:
    """A socket that listens there. What others have left there that are gone is taken away. Raises OSError."""
    for left in place.parent.glob(f"*{SUFFIX}"):
        if left == place or _is_left(left):
            with suppress(OSError):
                left.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(place))  # into a folder that nobody else can enter
        place.chmod(paths.PRIVATE_FILE)
        listener.listen(16)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def taken_away(place: Path, folder: Path) -> None:
    """The end of a socket, and of the folder that was made for it."""
    with suppress(OSError):
        place.unlink()
    if place.parent != folder:
        with suppress(OSError):
            place.parent.rmdir()


def ask(place: Path, question: bytes, most: int = MOST_SAID) -> bytes:
    """What is answered there, up to about `most` bytes. Raises OSError, also for a socket that is not our own."""
    found = place.lstat()
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{place} is no socket of this user")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(SECONDS)
        wire.connect(str(place))
        wire.sendall(question + b"\n")
        said = b""
        while len(said) < most and (piece := wire.recv(MOST_SAID)):
            said += piece
    return said


def peer_is(wire: socket.socket, uid: int) -> bool:
    """Whether this user is at the other end, as far as the system tells; the socket's mode says so anyway."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, peer, _ = struct.unpack("3i", wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(peer == uid)


def _check_own(folder: Path) -> None:
    """Raises PermissionError for a folder that somebody else made, or can enter."""
    found = folder.lstat()
    closed = stat.S_IMODE(found.st_mode) == paths.PRIVATE_FOLDER
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or not closed:
        raise PermissionError(f"{folder} is not this user's own")


def _is_left(place: Path) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(SECONDS)
        try:
            wire.connect(str(place))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
