"""Where things live, and the modes they are kept in. One folder holds everything of ours.

Every path from here is absolute. A relative `CODEX_ROTATE_HOME` is refused: it would be another pool in every folder
that a command runs in. The official client takes a relative `CODEX_HOME` from the folder that it was started in, so do
we, and `settle` keeps that meaning for programs that are started from elsewhere.
"""

import os
import re
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

import platformdirs

from config import groups
from config.errors import ConfigError

PROGRAM: Final = Path(__file__).resolve().parent.parent
"""The folder that holds this program: `rotate.py` and the packages. In an installation it is a package itself."""
IMPORTED_FROM: Final = PROGRAM.parent if (PROGRAM / "__init__.py").is_file() else PROGRAM
"""Where `codex_rotate` is found."""
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
HOME: Final = "CODEX_ROTATE_HOME"
CLIENT: Final = ("CODEX_HOME", "CODEX_CLI_AUTH_PATH", "CODEX_CLI_ACCOUNTS_PATH")
"""What names places of the official client."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class UnusableHome(ConfigError):
    """The variable does not name a folder that could hold everything of ours. Nothing was read or made."""


class UnsafePlace(ConfigError):
    """Others could read or replace what would be kept there. Nothing was made."""


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of this product: `CODEX_ROTATE_HOME`, else the platform's place for user data. Need not exist.

    Raises UnusableHome.
    """
    name, chosen = HOME, environ.get(HOME, "")
    if not chosen:
        name, chosen = "XDG_DATA_HOME", platformdirs.user_data_dir("codex-rotate", appauthor=False)
    if _CONTROL.search(chosen):
        raise UnusableHome(f"{name} has a line end or another control character in it: {chosen!r}. Set it anew.")
    place = _expanded(chosen)
    if not place.is_absolute():
        raise UnusableHome(
            f"{name} is {chosen!r}, which would be another folder in each folder that a command runs in. Set it to a "
            f"whole path, such as {Path.cwd() / place}."
        )
    if os.path.isfile(place):  # noqa: PTH113 - never raises, also where we may not look
        raise UnusableHome(f"{name} names {place}, which is a file. Set it to a folder; one that is missing is made.")
    return place


def settle(environ: MutableMapping[str, str]) -> None:
    """Write out the paths in our variables and the client's, so that they mean the same in every program that gets
    this environment, whatever folder it runs in."""
    for name in (HOME, *CLIENT):
        if chosen := environ.get(name):
            whole = str(_whole(chosen) if name in CLIENT else _expanded(chosen))
            if whole != chosen:
                environ[name] = whole


def _expanded(chosen: str) -> Path:
    """Without `~`; one of somebody who is not known stays as it is."""
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        return Path(chosen)


def _whole(chosen: str) -> Path:
    return _expanded(chosen).absolute()


def pool_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The pool's SQLite database."""
    return home(environ) / "pool.db"


def usage_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The ledger of turns, an SQLite database."""
    return home(environ) / "usage.db"


def notices_file(environ: Mapping[str, str] = os.environ) -> Path:
    """What somebody was told of the pool, so that it is told once."""
    return home(environ) / "notices.json"


def backups_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Copies of the pool."""
    return home(environ) / "backups"


def locks_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Lock files of the accounts, and marks of refreshes under way."""
    return home(environ) / "locks"


def logs_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """What proxies in the background have to say."""
    return home(environ) / "logs"


def ca_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The certificate authority: mitmproxy's `confdir`."""
    return home(environ) / "ca"


def debug_ca_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The certificate authority of `serve --intercept-all`, which can vouch for any host."""
    return home(environ) / "debug-ca"


def client_key_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The client key that the owner's own commands use, once clients need one."""
    return home(environ) / "client.key"


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's settings."""
    return home(environ) / "config.toml"


def codex_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The official client's own folder: `CODEX_HOME`, else `~/.codex`."""
    chosen = environ.get("CODEX_HOME")
    return _whole(chosen) if chosen else Path.home() / ".codex"


def codex_dotenv_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Variables that the official client sets for itself at its start."""
    return codex_home(environ) / ".env"


def codex_auth_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The official client's login; `CODEX_CLI_AUTH_PATH` names another file."""
    chosen = environ.get("CODEX_CLI_AUTH_PATH")
    return _whole(chosen) if chosen else codex_home(environ) / "auth.json"


def codex_accounts_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where several logins are kept beside the client's one; `CODEX_CLI_ACCOUNTS_PATH` names another file."""
    chosen = environ.get("CODEX_CLI_ACCOUNTS_PATH")
    return _whole(chosen) if chosen else codex_home(environ) / "accounts.json"


def make_private_folder(path: Path) -> None:
    """Create `path` for its owner only, and what it is in where that is missing; a folder that others can read is
    closed to them. Raises UnsafePlace where others could put another one in its place."""
    why = unsafe(path)
    if why:
        raise UnsafePlace(why)
    for missing in reversed([each for each in path.parents if not each.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    set_mode(path.resolve(), PRIVATE_FOLDER)


def make_private_file(path: Path) -> None:
    """Close an existing file to everybody but its owner; one that is a link stays as it is."""
    set_mode(path, PRIVATE_FILE)


def set_mode(path: Path, mode: int) -> None:
    """`chmod` that never follows a link. Raises OSError."""
    found = path.lstat()
    if os.name != "posix" or stat.S_ISLNK(found.st_mode) or stat.S_IMODE(found.st_mode) == mode:
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:  # its owner may not read it either
        path.chmod(mode)
        return
    try:
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def unsafe(path: Path) -> str:
    """Why what is kept at `path` would not be one's own; "" if nothing speaks against it. Root is asked no questions
    about owners: in containers that is how folders of the host look. What is root's passes here as well, who could do
    anything anyway: it is refused where it is opened, with the way back."""
    if os.name != "posix":
        return ""
    whole = _whole(str(path))
    if whole.exists() and os.geteuid() and whole.stat().st_uid not in {0, os.geteuid()}:
        return f"{whole} belongs to another user. Name a folder of your own with {HOME}."
    open_to = changeable_by_others(*whole.parents, *whole.resolve().parents)
    return f"{open_to}, or name another folder than {whole} with {HOME}." if open_to else ""


def changeable_by_others(*places: Path) -> str:
    """Which of these folders and files every user may change, or somebody else by their group, and what to do; "" for
    none. In a folder as `/tmp` nobody can replace what is another's. Root is asked about no group: in a container its
    numbers are those of the host."""
    for each in dict.fromkeys(places):
        found = each.stat() if os.name == "posix" and each.exists() else None
        if found is None or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
            continue
        if found.st_mode & stat.S_IWOTH:
            return f"{each} may be changed by every user of this machine: run `chmod o-w {each}`"
        others = groups.others_in(found.st_gid) if found.st_mode & stat.S_IWGRP and os.geteuid() else ()
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            return f"{each} may be changed by {others[0]}{more}, by its group: run `chmod g-w {each}`"
    return ""
