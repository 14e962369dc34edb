"""`doctor`: our own folder, its files and the settings."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.backups import Backup, Backups, Condition
from accounts.errors import RotateError
from cli.doctor_finding import Finding, Findings, State, note, ok, problem, told, warning
from config import paths

OLD_BACKUP_DAYS: Final = 14.0
SHOWN: Final = 3
_OURS: Final = ("pool.db*", "config.toml", "client.key", "backups/*", "locks/*", "proxies/*", "*ca/mitmproxy-ca.pem")
"""Of the other files in the folders of authorities nothing is a secret."""
_FOLDERS: Final = ("backups", "ca", "debug-ca", "locks", "proxies")
MEND: Final = "Run `codex-rotate doctor --fix`"
LOG_IN_AGAIN: Final = "If somebody else uses this machine, run `codex-rotate login` again for its accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A file or folder of ours that others can get at. Modes as `chmod` takes them."""

    path: Path
    mode: int
    folder: bool

    @property
    def wanted(self) -> int:
        return paths.PRIVATE_FOLDER if self.folder else paths.PRIVATE_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """`trouble` is why the pool cannot be opened, `repaired` what opening it has closed to others."""

    home: Path
    there: bool = True
    trouble: str = ""
    repaired: tuple[str, ...] = ()
    loose: tuple[Loose, ...] = ()
    settings_trouble: str = ""
    backups: tuple[Backup, ...] = ()
    backups_trouble: str = ""


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str], trouble: str, repaired: tuple[str, ...]) -> Storage:
    """What is on the disk, when the pool was opened or could not be."""
    file = paths.pool_file(environ)
    found, backups_trouble = tuple[Backup, ...](), ""
    try:
        found = Backups(file, paths.backups_folder(environ)).entries()
    except RotateError as e:
        backups_trouble = str(e)
    return Storage(
        home=paths.home(environ),
        there=file.exists(),
        trouble=trouble,
        repaired=repaired,
        loose=tuple(loose(paths.home(environ))),
        settings_trouble=_settings_trouble(environ),
        backups=found,
        backups_trouble=backups_trouble,
    )


def loose(home: Path) -> Iterator[Loose]:
    """What others can get at. Links are left alone, and so is whatever else lies in the folder."""
    if os.name != "posix":
        return
    inside = {path for pattern in _OURS for path in home.glob(pattern)}
    for path in (home, *(home / name for name in _FOLDERS), *sorted(inside)):
        try:
            found = path.lstat().st_mode if path != home else path.stat().st_mode
        except OSError:
            continue
        folder = stat.S_ISDIR(found)
        if (folder or stat.S_ISREG(found)) and found & 0o077:
            yield Loose(path=path, mode=stat.S_IMODE(found), folder=folder)


def _settings_trouble(environ: Mapping[str, str]) -> str:
    from config import settings  # late: pydantic

    try:
        settings.load(environ)
    except settings.ConfigError as e:
        return str(e)
    return ""


# --- judgement -------------------------------------------------------------------------------------------------------


def pool(storage: Storage) -> Findings:
    if storage.trouble:
        yield told("storage.pool", storage.trouble)
    elif not storage.there:
        yield note(
            "storage.pool", f"There is no pool in {storage.home} yet.", "The first `codex-rotate login` makes it."
        )
    else:
        yield ok("storage.pool", f"The pool in {storage.home} can be read and has the shape that this version knows.")


def modes(storage: Storage) -> Findings:
    for sentence in storage.repaired:
        yield warning("storage.modes", sentence, f"{LOG_IN_AGAIN}.")
    if storage.loose:
        shown = ", ".join(f"{each.path} ({each.mode:04o})" for each in storage.loose[:SHOWN])
        more = f" and {len(storage.loose) - SHOWN} more" if len(storage.loose) > SHOWN else ""
        yield problem("storage.modes", f"Others on this machine can get at {shown}{more}.", f"{MEND}.")
    elif storage.there:
        yield ok("storage.modes", "Our files are for their owner only.")


def settings(storage: Storage) -> Findings:
    if storage.settings_trouble:
        yield told("storage.settings", storage.settings_trouble)
    else:
        yield ok("storage.settings", "The settings can be used.")


def backups(storage: Storage, now: float) -> Findings:
    if storage.backups_trouble:
        yield told("storage.backups", storage.backups_trouble, State.WARNING)
    elif storage.there:
        yield from _backups(storage, now)


def _backups(storage: Storage, now: float) -> Findings:
    damaged = [each.name for each in storage.backups if each.condition is Condition.DAMAGED]
    if damaged:
        what = f"Backups that cannot be read: {', '.join(damaged[:SHOWN])}."
        yield warning("storage.backups", what, "Delete them, and run `codex-rotate backup create`.")
    usable = [each for each in storage.backups if each.condition is Condition.USABLE]
    if not usable:
        yield note("storage.backups", "There is no backup of the pool.", "Run `codex-rotate backup create`.")
        return
    yield _newest(usable, now)


def _newest(usable: list[Backup], now: float) -> Finding:
    days = (now - max(each.made_at for each in usable)) / 86_400
    what = f"{len(usable)} {'backup' if len(usable) == 1 else 'backups'}, the newest {max(0, days):.0f} days old."
    if days > OLD_BACKUP_DAYS:
        return note("storage.backups", what, "Run `codex-rotate backup create`.")
    return ok("storage.backups", what)


# --- mending ---------------------------------------------------------------------------------------------------------


def close(found: Loose) -> str:
    """Close it to others; says so. Raises OSError."""
    found.path.chmod(found.wanted)
    return f"{found.path} was open to others ({found.mode:04o}) and is now its owner's only ({found.wanted:04o})."
