"""Other users of this machine, as whom a test opens connections and starts programs. That takes root."""

import codecs
import ctypes
import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OTHER: Final = 65_533
"""A user that nobody is."""


def why_not() -> str:
    """Why this cannot be tested here; "" when it can."""
    if sys.platform != "linux":
        return "whose a connection is only Linux tells"
    if os.geteuid() != 0:
        return "only root can act as another user"
    return ""


@contextmanager
def acting_as(uid: int | None) -> Iterator[None]:
    """What this thread opens is this user's; None changes nothing. Files that are not open to all cannot be reached."""
    if uid is None:
        yield
        return
    codecs.lookup("idna")  # connecting needs it, and loads it from where only root may look
    libc = ctypes.CDLL(None)
    before = libc.setfsuid(uid)
    try:
        assert libc.setfsuid(-1) == uid, "this process may not act as another user"
        yield
    finally:
        libc.setfsuid(before)


@dataclass(frozen=True)
class User:
    """Somebody with a home of their own, which is closed to others."""

    uid: int
    home: Path

    def owns(self, path: Path) -> Path:
        """Give them a file, or a folder with all that is in it."""
        for each in [path, *path.rglob("*")]:
            os.chown(each, self.uid, self.uid)
        return path


@contextmanager
def users(*uids: int) -> Iterator[tuple[User, ...]]:
    """Users with homes in a place that all of them reach; the folders of tests are root's alone."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        top = Path(name)
        top.chmod(0o755)
        made = tuple(User(uid, top / f"user-{uid}") for uid in uids)
        for user in made:
            user.home.mkdir(mode=0o700)
            user.owns(user.home)
        yield made


def as_user(user: User) -> list[str]:
    """What goes before a command line so that it is this user's. Programs that only root can reach are shown to them in
    a place of their own, in a mount namespace that ends with the command."""
    become = ["setpriv", f"--reuid={user.uid}", f"--regid={user.uid}", "--clear-groups"]
    closed = _closed()
    if closed is None:
        return become
    base = Path(sys.base_prefix)
    show = (
        'set -e; base="$1"; closed="$2"; shift 2; kept=$(mktemp -d); mount --bind "$base" "$kept"; '
        'mount -t tmpfs none "$closed"; chmod 755 "$closed"; mkdir -p "$base"; mount --bind "$kept" "$base"; '
        'umount "$kept"; rmdir "$kept"; exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", show, "sh", str(base), str(closed), *become]


def why_no_programs() -> str:
    """Why no program of ours can be started as another user; "" when it can."""
    if why := why_not():
        return why
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    with users(OTHER) as (user,):
        tried = subprocess.run(
            [*as_user(user), sys.executable, "-c", "import ssl"], cwd="/", capture_output=True, text=True, check=False
        )
    return f"this Python cannot be started as another user: {tried.stderr[-200:]}" if tried.returncode else ""


@functools.cache
def _closed() -> Path | None:
    """The first folder on the way to the interpreter that only its owner may enter."""
    folders = reversed([*Path(sys.base_prefix).resolve().parents, Path(sys.base_prefix).resolve()])
    return next((each for each in folders if not each.stat().st_mode & stat.S_IXOTH), None)
