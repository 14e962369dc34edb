"""Why a file or folder of ours refuses, whose doing that is and what to do about it: looked up on the disk itself.

The system says "Permission denied" and no more. Who else owns it, which folder on the way lets nobody in, whether the
disk is full or may only be read, is what a person needs to know. Looking changes nothing and never raises.
"""

import errno
import os
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from config import paths
from config.errors import ConfigError

LITTLE: Final = 256 * 1024
"""Bytes. With less than that free a disk counts as full: not even the pool's journal fits."""
ROOM: Final = "Make room there, and run the command again."
OWN: Final = "set CODEX_ROTATE_HOME to a folder of your own"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_KNOWN: Final = frozenset({"root", "nobody"})
_PEOPLE: Final = ("another user", "this user")
_OWNERS: Final = re.compile(r"belongs? to (user \d+|\S+), and you are (user \d+|[\w-]+(?:\.[\w-]+)*)")
_CHOWN: Final = re.compile(r"(chown -R )\S+")
_CLOSED: Final = frozenset({None, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class DiskRefusal:
    """`what` is the rest of a sentence about `culprit`, the file or folder that refuses; `remedy` is a sentence."""

    culprit: Path
    what: str
    remedy: str

    def of(self, path: Path) -> str:
        """The sentence, where `path` was named just before."""
        return f"{'it' if self.culprit == path.absolute() else self.culprit} {self.what}"


def there(path: Path) -> bool:
    """Whether something is there. Raises OSError where nobody lets us look: that is no answer, and Path.exists() gives
    one or raises, depending on the Python."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def seen(path: Path) -> bool:
    """Whether something is there, as far as we can see."""
    with suppress(OSError):
        return there(path)
    return False


def refusal(path: Path, code: int | None = None) -> DiskRefusal | None:
    """Why `path` cannot be read or written, None when the disk shows no reason. `code` is the error's errno, if it has
    one."""
    if os.name != "posix":
        return None
    way = list(_way(path.absolute()))
    found = _not_a_folder(path, way) or _full(way, code) or _read_only(way, code)
    return found or (_closed(way) if code in _CLOSED else None)


def full(path: Path) -> DiskRefusal | None:
    """That the disk of `path` has no room left, None when it has, or does not say."""
    return _full(list(_way(path.absolute())), errno.ENOSPC, sure=False) if os.name == "posix" else None


def own(path: Path) -> bool:
    """Whether what is there belongs to this user; what cannot be looked at does not."""
    with suppress(OSError):
        return os.name != "posix" or path.lstat().st_uid == os.geteuid()
    return False


def belonging(path: Path) -> DiskRefusal | None:
    """That `path` is somebody else's, None when it is ours, is not there or nobody lets us look."""
    with suppress(OSError):
        if os.name == "posix" and path.lstat().st_uid != os.geteuid():
            return _foreign(path.absolute(), path.lstat().st_uid)
    return None


def _home() -> Path:
    """Our folder; the user's where the variable that names it cannot be used, which others say."""
    try:
        return paths.home().absolute()
    except ConfigError:
        return Path.home()


def _way(path: Path) -> Iterator[tuple[Path, os.stat_result | None]]:
    """Every folder down to the path, and the path, as far as they are there; None for what nobody lets us look at."""
    for each in (*reversed(path.parents), path):
        try:
            yield each, each.stat()
        except OSError as e:
            if e.errno == errno.EACCES:
                yield each, None
            return


def _not_a_folder(path: Path, way: list[tuple[Path, os.stat_result | None]]) -> DiskRefusal | None:
    for each, found in way:
        if each != path.absolute() and found is not None and not stat.S_ISDIR(found.st_mode):
            return DiskRefusal(each, "is a file, where a folder has to be", f"Move it aside, or {OWN}.")
    return None


def _full(way: list[tuple[Path, os.stat_result | None]], code: int | None, *, sure: bool = True) -> DiskRefusal | None:
    if code not in _FULL:
        return None
    there = way[-1][0]
    with suppress(OSError):
        room = os.statvfs(there)
        left = room.f_bavail * room.f_frsize
        if left < LITTLE:
            return DiskRefusal(there, "is on a disk that is full", ROOM)
    return DiskRefusal(there, "is on a disk that is full, or this user's share of it", ROOM) if sure else None


def _read_only(way: list[tuple[Path, os.stat_result | None]], code: int | None) -> DiskRefusal | None:
    there = next(each for each, found in reversed(way) if found is not None)
    with suppress(OSError):
        if code == errno.EROFS or os.statvfs(there).f_flag & os.ST_RDONLY:
            what = "is on a disk that can only be read"
            return DiskRefusal(there, what, f"Have that disk mounted for writing, or {OWN}.")
    return None


def _closed(way: list[tuple[Path, os.stat_result | None]]) -> DiskRefusal | None:
    """A folder on the way that lets us not in, else what is not ours or closed to us."""
    home = _home()
    for (each, found), (_, following) in pairwise(way):
        if found is not None and (following is None or not _may(each, os.X_OK)):
            return _refused(each, found)
    for each, found in way:
        if found is not None and each.is_relative_to(home) and found.st_uid != os.geteuid():
            return _refused(each, found)
    last, found = way[-1]
    wanted = os.R_OK | os.W_OK | (os.X_OK if found is not None and stat.S_ISDIR(found.st_mode) else 0)
    return _refused(last, found) if found is not None and not _may(last, wanted) else None


def _may(path: Path, wanted: int) -> bool:
    return os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids)


def _refused(culprit: Path, found: os.stat_result) -> DiskRefusal:
    if found.st_uid != os.geteuid():
        return _foreign(culprit, found.st_uid)
    mode, needed = stat.S_IMODE(found.st_mode), "rwx" if stat.S_ISDIR(found.st_mode) else "rw"
    what = f"is closed to its own user by its mode, {mode:04o}"
    return DiskRefusal(culprit, what, f"Run `chmod u+{needed} {shlex.quote(str(culprit))}`.")


def _foreign(culprit: Path, owner: int) -> DiskRefusal:
    """Of a stranger's file in a folder of ours, and of root's in a user's home, it is plain how they came there and how
    they are the user's again. Another person's pool is theirs, and nobody is told to take it."""
    me, home = os.geteuid(), _home()
    what = f"belongs to {user(owner)}, and you are {user(me)}"
    inside = culprit.is_relative_to(home)
    if (inside and culprit != home and own(home)) or (owner == 0 and culprit.is_relative_to(Path.home())):
        mine = shlex.quote(str(home if inside else culprit))
        return DiskRefusal(
            culprit, what, f"Run `sudo chown -R {user(me)} {mine}`: something was run as another user here."
        )
    remedy = f"A pool is one user's: {OWN}"
    return DiskRefusal(culprit, what, f"{remedy}, or unset it." if "CODEX_ROTATE_HOME" in os.environ else f"{remedy}.")


def nameless(text: str) -> str:
    """A sentence of ours without the names of people; that something is root's is kept."""

    def owners(found: re.Match[str]) -> str:
        owner, me = (name if name in _KNOWN else instead for name, instead in zip(found.groups(), _PEOPLE, strict=True))
        return found[0].replace(f"to {found[1]},", f"to {owner},").removesuffix(found[2]) + me

    return _CHOWN.sub(r"\1USER", _OWNERS.sub(owners, text))


def user(number: int) -> str:
    """The name of a user, else the number."""
    import pwd  # late: not everywhere

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
