"""People's machines on which something is wrong with a file or a disk, for tests/cli/test_troubles.py.

What works for a plain user is tried as one and as root; what needs root is skipped without it, and says so.
"""

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from accounts.logins.auth_file import read_auth_file
from accounts.store.backups import Backups
from accounts.store.store import Store
from tests import warm
from tests.builders import spoiled, token
from tests.harness import ROOT, plain_environment

SCRIPT: Final = shutil.which("codex-rotate", path=str(Path(sys.executable).parent))
CAPABILITY_VERSION_3: Final = 0x20080522
POOL: Final = {"ann": 1, "bob": 1, "cy": 1}
"""Who is in the pool, with the number of their login."""
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 24, 1, 2, 3
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16_384, 1 << 18
NOBODY: Final = 65_534

type Run = Callable[..., Any]
type Cause = Callable[[World], object]


def login(name: str, turn: int) -> dict[str, Any]:
    """An auth.json."""
    claims = {"chatgpt_account_id": f"acct-{name}", "chatgpt_user_id": f"user-{name}"}
    access = token(claims, exp=4_000_000_000 + turn, email=f"{name}@example.com")
    tokens = {"access_token": access, "id_token": access, "refresh_token": f"refresh-secret-of-{name}-{turn}"}
    return {"tokens": tokens, "last_refresh": f"2020-01-{turn:02}T00:00:00Z", "odd": "ü"}


SECRETS: Final = {
    secret
    for name, turn in (*POOL.items(), ("ann", 2), ("dan", 1), ("zoe", 1))
    for secret in login(name, turn)["tokens"].values()
}


def set_up(folder: Path) -> Path:
    """A pool, a backup of it, a login that is nowhere yet, and a client that has renewed the tokens of one account."""
    for name in ("codex", "out"):
        (folder / name).mkdir()
    with Store(folder / "home" / "pool.db") as store:
        for age, (name, turn) in enumerate(POOL.items()):
            (folder / "login.json").write_text(json.dumps(login(name, turn)))
            read = read_auth_file(folder / "login.json")
            store.put_account(replace(read.account, added_at=float(age)), read.credentials).result()
        Backups(store.path, folder / "home" / "backups").create("mine", 1_700_000_000.0)
    (folder / "dan.json").write_text(json.dumps(login("dan", 1)))
    (folder / "codex" / "auth.json").write_text(json.dumps(login("ann", 2)))
    return folder


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """One person's machine. `restrict` is done in a command's process before it starts; `sealed`: the pool's file must
    not be touched, byte for byte."""

    folder: Path
    cleaning: ExitStack
    restrict: Callable[[], object] | None = None
    sealed: bool = False

    def __post_init__(self) -> None:
        self.home, self.codex, self.out = (self.folder / name for name in ("home", "codex", "out"))
        self.pool, self.auth, self.backups = self.home / "pool.db", self.codex / "auth.json", self.home / "backups"
        homes = {"HOME": self.folder, "CODEX_HOME": self.codex, "CODEX_ROTATE_HOME": self.home}
        self.environ = {name: str(path) for name, path in homes.items()}

    def named(self, words: str) -> list[str]:
        places = {"auth": self.auth, "out": self.out / "new.json", "login": self.folder / "dan.json"}
        return [word.format(**places) for word in words.split()]

    def run(self, words: str) -> Ran:
        """The console script."""
        assert SCRIPT is not None, "the project is not installed: `make setup`"
        done = warm.run(
            [SCRIPT, *self.named(words)],
            env={**plain_environment(), **self.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            preexec_fn=self.restrict,
            capture_output=True,
            text=True,
            timeout=90,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def run_here(self, words: str, run: Run) -> Ran:
        """The same without a process, which is faster."""
        with pytest.MonkeyPatch.context() as environ:
            for name in os.environ.keys() - plain_environment().keys():
                environ.delenv(name)
            for name, value in self.environ.items():
                environ.setenv(name, value)
            ran = run(*self.named(words))
        return Ran(ran.code, ran.out, ran.err)

    def files(self) -> dict[str, str]:
        """What is in every file that matters to somebody: the client's, exports, backups, a pool we must not touch."""
        found = [file for folder in (self.codex, self.out, self.backups) for file in folder.rglob("*")]
        kept = [file for file in found if file.is_file() and file.suffix != ".lock" and file.name != "filler"]
        return {str(file.relative_to(self.folder)): digest(file) for file in [*kept, *([self.pool] * self.sealed)]}

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Every account's rows, by label; none of a pool that cannot be read. Looking leaves nothing behind."""
        with TemporaryDirectory() as scratch, suppress(sqlite3.DatabaseError):
            for name in ("pool.db", "pool.db-wal"):
                if (self.home / name).exists():
                    shutil.copyfile(self.home / name, Path(scratch, name))
            with closing(sqlite3.connect(Path(scratch, "pool.db"))) as db:
                db.row_factory = sqlite3.Row
                rows = db.execute("SELECT * FROM account LEFT JOIN credential USING (key)").fetchall()
            return {row["label"]: dict(row) for row in rows}
        return {}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- what goes wrong -------------------------------------------------------------------------------------------------


def room(size: int) -> Cause:
    """A disk on which no file grows beyond so many bytes: for any user, what a full one is."""

    def limited(world: World) -> None:
        resource = pytest.importorskip("resource", reason="a limit to the size of files is a POSIX matter")
        world.restrict = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))

    return limited


def large_login(world: World) -> None:
    """The client's file is larger than what may be written."""
    world.auth.write_text(json.dumps({**login("ann", 2), "padding": "x" * 300_000}))
    room(200_000)(world)


def full_disk(*names: str) -> Cause:
    """These folders are small disks of their own, on which nothing is free."""

    def filled(world: World) -> None:
        for name in names:
            folder: Path = getattr(world, name)
            before = folder.rename(world.folder / f"{name}-before")
            folder.mkdir()
            mount(folder, world.cleaning)
            shutil.copytree(before, folder, dirs_exist_ok=True)
            with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
                while filler.write(b"x" * 4096):
                    pass

    return filled


def mount(folder: Path, cleaning: ExitStack) -> None:
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(folder)]
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` for a small disk; a limit to the size of files is tried")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.partition("\n")[0].rpartition(": ")[2]
        pytest.skip(f"no small disk here ({why}); a limit to the size of files is tried")
    cleaning.callback(subprocess.run, ["umount", str(folder)], check=True)


def read_only(*names: str) -> Cause:
    """Folders that the user owns but may not write to."""

    def closed(world: World) -> None:
        as_anybody(world, CAP_DAC_OVERRIDE)
        for name in names:
            folder: Path = getattr(world, name)
            folder.chmod(0o500)
            world.cleaning.callback(folder.chmod, 0o700)

    return closed


def below_read_only(world: World) -> None:
    read_only("out")(world)
    world.environ["CODEX_ROTATE_HOME"] = str(world.out / "not there yet")


def somebody_elses(world: World) -> None:
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can give a folder away; folders that the user owns are tried")
    as_anybody(world, CAP_DAC_OVERRIDE, CAP_FOWNER)
    for path in (world.home, *world.home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(path, NOBODY, NOBODY)
    world.sealed = True


def as_anybody(world: World, *capabilities: int) -> None:
    """Root may write everywhere: without these capabilities its commands are refused what everybody is refused."""
    if os.name != "posix":
        pytest.skip("folders that refuse by their mode are a POSIX matter")
    if os.geteuid() == 0:
        if sys.platform != "linux" or not can_give_up(capabilities):
            pytest.skip("this root cannot give up single rights, so nothing is read-only for it")
        world.restrict = partial(give_up, capabilities)


def give_up(capabilities: tuple[int, ...]) -> None:
    """Now, and for every program that this process becomes."""
    libc, header, rights = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    failed = [each for each in capabilities if libc.prctl(PR_CAPBSET_DROP, each, 0, 0, 0)]
    if failed or libc.capget(header, rights):
        raise PermissionError(errno.EPERM, "rights cannot be given up")
    for each in capabilities:
        for at in (0, 1):  # those that are used, and those that could be
            rights[at] &= ~(1 << each)
    if libc.capset(header, rights):
        raise PermissionError(errno.EPERM, "rights cannot be given up")


@cache
def can_give_up(capabilities: tuple[int, ...]) -> bool:
    giving = partial(give_up, capabilities)
    try:
        return subprocess.run(["/bin/sh", "-c", ":"], check=False, preexec_fn=giving).returncode == 0
    except subprocess.SubprocessError:
        return False


def run_as_root_once(*names: str) -> Cause:
    """A machine of a user who is not root, on which these folders, or single files, belong to root."""

    def left(world: World) -> None:
        as_user(world, NOBODY)
        for path in (world.folder, *world.folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        for name in names:
            place = world.folder / name
            for path in (place, *place.rglob("*")):
                path.chmod(0o700 if path.is_dir() else 0o600)
                os.chown(path, 0, 0)
        world.sealed = True

    return left


def closed_by_another(world: World) -> None:
    """The pool of another user, who lets nobody look."""
    somebody_elses(world)
    as_anybody(world, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER)
    for path in (world.home, *world.home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def read_only_disk(world: World) -> None:
    """Our folder is on a disk that is mounted for reading."""
    in_own_mounts(world, partial(mounted_read_only, world.home))
    world.sealed = True


def in_own_mounts(world: World, change: Callable[[], object]) -> None:
    """The command runs where only it sees what `change` mounts."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount something for one process")
    if not can_mount():
        pytest.skip("nothing can be mounted here, not even for one process")
    world.restrict = partial(of_its_own, change)


def of_its_own(change: Callable[[], object]) -> None:
    os.unshare(os.CLONE_NEWNS)
    mounted("none", Path("/"), MS_REC | MS_PRIVATE)
    change()


def mounted(source: str, target: Path, flags: int, kind: str = "", data: str = "") -> None:
    words = (each.encode() or None for each in (source, str(target), kind))
    if ctypes.CDLL(None, use_errno=True).mount(*words, ctypes.c_ulong(flags), data.encode() or None):
        raise OSError(ctypes.get_errno(), "cannot be mounted", str(target))


def mounted_read_only(folder: Path) -> None:
    mounted(str(folder), folder, MS_BIND)
    mounted(str(folder), folder, MS_BIND | MS_REMOUNT | MS_RDONLY)


@cache
def can_mount() -> bool:
    try:
        with TemporaryDirectory() as folder:
            trying = partial(of_its_own, partial(mounted_read_only, Path(folder)))
            return subprocess.run(["/bin/sh", "-c", ":"], check=False, preexec_fn=trying).returncode == 0
    except subprocess.SubprocessError:
        return False


def as_user(world: World, uid: int) -> None:
    """The command is that user's, who can reach the interpreter, the project and this machine, wherever they are."""
    in_own_mounts(world, partial(become, uid, (Path(sys.base_prefix), Path(sys.prefix).resolve(), ROOT, world.folder)))


def become(uid: int, needed: Sequence[Path]) -> None:
    reachable(needed)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def reachable(needed: Sequence[Path]) -> None:
    """Put open folders in the place of those above that let nobody else through."""
    held = {path: os.open(path, os.O_PATH) for path in needed}
    for path in needed:
        closed = next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)
        if closed is not None:
            mounted("none", closed, 0, "tmpfs", "mode=0755")
    for path, handle in held.items():
        if not path.exists():
            path.mkdir(parents=True)
            mounted(f"/proc/self/fd/{handle}", path, MS_BIND)


def locked(world: World) -> None:
    hold = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", hold, str(world.pool)]
    holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    world.cleaning.enter_context(holder)  # it ends with its stdin
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"


def pool_is(kind: str) -> Cause:
    def damaged(world: World) -> None:
        content = world.pool.read_bytes()
        if kind == "overwritten inside":
            world.pool.write_bytes(content[:4096] + b"\xff" * 8192 + content[12288:])
        else:
            spoiled(kind, world.pool)
        world.sealed = True

    return damaged


def login_is(change: Callable[[bytes], bytes]) -> Cause:
    """The client's login as a crash or an editor left it."""

    def written(world: World) -> None:
        document = json.dumps(login("ann", 2), indent=2, ensure_ascii=False)
        world.auth.write_bytes(change(document.encode()))

    return written


def huge(world: World) -> None:
    """A login, and then nothing for 50 MB."""
    os.truncate(world.auth, 50 * 1024 * 1024)


def somebody_else_logs_in(world: World) -> None:
    assert "The client uses ann" in world.run("sync status").out
    world.auth.write_text(json.dumps(login("zoe", 1)))
