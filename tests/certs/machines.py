"""Machines for the tests of trust stores: made-up ones with a recorded runner, and a real one that nobody else sees."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from certs.stores.base import Machine
from certs.stores.linux import Distribution

PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int | None = 0
    out: str = ""
    err: str = ""


type Play = Callable[[Sequence[str]], Ended]


@dataclass
class Recorder:
    """Stands for the programs of a machine: writes down what is run and plays what they do, by name."""

    plays: dict[str, Play] = field(default_factory=dict)
    ran: list[list[str]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> Ended:
        self.ran.append(list(argv))
        return self.plays[Path(argv[0]).name](argv)


def done(_: Sequence[str]) -> Ended:
    """A program that succeeds and does nothing."""
    return Ended()


def fails(code: int | None, said: str) -> Play:
    return lambda _: Ended(code, "", said)


def linux(top: Path, kind: Distribution, plays: Mapping[str, Play] | None = None, **changes: object) -> Machine:
    """A made-up Linux below `top`, with this distribution's folder, command and file of roots."""
    anchors, bundle = top / kind.folder, top / kind.bundle
    for folder in (anchors, bundle.parent):
        folder.mkdir(parents=True, exist_ok=True)

    def update(_: Sequence[str]) -> Ended:
        content = b"".join(each.read_bytes() for each in sorted(anchors.rglob("*")) if each.is_file())
        bundle.write_bytes(FOREIGN_ROOT + content)
        return Ended(out="1 added, 0 removed; done.")

    known = dict({kind.update[0]: update} if plays is None else plays)
    bundle.write_bytes(FOREIGN_ROOT)
    settings: dict[str, object] = {
        "system": "linux",
        "home": top / "home" / "user",
        "run": Recorder(known),
        "find": lambda name: f"/usr/sbin/{name}" if name in known else None,
        "release": {"ID": kind.ids[0], "NAME": kind.ids[0].title()},
        "root": True,
        "files": top,
    }
    return Machine(**{**settings, **changes})  # type: ignore[arg-type]


def recorded(machine: Machine) -> list[list[str]]:
    assert isinstance(machine.run, Recorder)
    return machine.run.ran


FOREIGN_ROOT: Final = b"""# somebody else's
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUJQpOexYqgGUuAGr3DVOGXyQiSWEwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
"""
"""Not one of ours, and cut off: what else is in a file of roots need not even be readable."""


# --- a real one ------------------------------------------------------------------------------------------------------

SYSTEM_ROOTS: Final = Path("/etc/ssl/certs/ca-certificates.crt")
CHOSEN_ROOTS: Final = Path("/etc/ca-certificates.conf")
ROOTS_KEPT: Final = 3
"""Of the system's own: its command takes its time over each, and there are 150."""
_COVERED: Final = ("/etc/ssl", "/usr/local/share/ca-certificates", "/etc/ca-certificates/update.d", str(CHOSEN_ROOTS))
_COVER: Final = (
    'for real in "$1" "$2" "$3" "$4"; do mount --bind "$0$real" "$real" || exit 99; done; shift 4; exec "$@"'
)
_BIND: Final = 0x1000
_PRIVATE_TO_THE_LAST: Final = 0x44000
"""Flags of Linux for `mount`."""


def why_not() -> str:
    """What this machine lacks for a Debian trust store of one's own; nothing if it can be had."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may change the system's trust store"
    missing = [name for name in ("update-ca-certificates", "unshare", "mount", "openssl") if not shutil.which(name)]
    if missing or not SYSTEM_ROOTS.is_file():
        return f"not installed here: {', '.join(missing) or SYSTEM_ROOTS}"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/etc/ssl", "/etc/ssl"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else f"no mount namespaces here: {tried.stderr.decode().strip()}"


class PrivateRoots:
    """The system's trust store as only the programs see it that are run here: copies, in a mount namespace.

    They stay from one program to the next, and hold a few of the system's roots. The real files are never touched,
    whatever goes wrong.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for real in _COVERED[:2]:
            if Path(real).is_dir():
                shutil.copytree(real, self._copy(real), symlinks=True, ignore=_roots_of_the_system)
            else:
                self._copy(real).mkdir(parents=True)
        self._copy(_COVERED[2]).mkdir(parents=True)  # what else the system tells of new roots
        chosen = [line for line in CHOSEN_ROOTS.read_text("utf-8").splitlines() if line and line[0] not in "#!"]
        self._copy(CHOSEN_ROOTS).write_text("\n".join([*chosen[:ROOTS_KEPT], ""]))
        made = self.run("update-ca-certificates", env=os.environ, cwd=folder)
        assert made.returncode == 0, made.stderr

    def _copy(self, real: str | Path) -> Path:
        return self.folder / str(real).lstrip("/")

    @property
    def roots(self) -> bytes:
        return self._copy(SYSTEM_ROOTS).read_bytes()

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put before a command line. It becomes that command, with the same process id."""
        return ("unshare", "-m", "sh", "-c", _COVER, str(self.folder), *_COVERED)

    def run(self, *argv: str | Path, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [*self.inside, *(str(word) for word in argv)]
        return subprocess.run(
            command, env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False
        )


def _roots_of_the_system(folder: str, names: list[str]) -> list[str]:
    if folder != str(SYSTEM_ROOTS.parent):
        return []
    return [name for name in names if Path(folder, name).is_symlink() or name == SYSTEM_ROOTS.name]


def enter(folder: Path) -> None:
    """Go where this folder's copies cover the real files, as `PrivateRoots.inside` does, for a process that is ours."""
    os.unshare(os.CLONE_NEWNS)
    mount = ctypes.CDLL(None, use_errno=True).mount
    places = [(b"none", b"/", _PRIVATE_TO_THE_LAST)]  # or the system would have the copies too
    places += [(os.fsencode(f"{folder}{real}"), os.fsencode(real), _BIND) for real in _COVERED]
    for source, target, flags in places:
        if mount(source, target, None, ctypes.c_ulong(flags), None) != 0:
            raise OSError(ctypes.get_errno(), f"mount {target.decode()}")


def real_files() -> dict[str, tuple[int, int, str]]:
    """What the tests must leave alone, file by file: inode, time of change, where a link leads."""
    found = {}
    for top in (Path("/etc/ssl"), Path("/usr/local/share/ca-certificates"), CHOSEN_ROOTS):
        for path in (top, *top.rglob("*")):
            info = path.lstat()
            found[str(path)] = (info.st_ino, info.st_mtime_ns, str(path.readlink()) if path.is_symlink() else "")
    return found
