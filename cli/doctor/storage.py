"""`doctor`: our own folder, its files and the settings."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accounts.store import trouble_notes
from accounts.store.backups import Backup, BackupCondition, Backups
from accounts.store.trouble_notes import TroubleNote
from cli.doctor.finding import Finding, Findings, Severity, note, ok, problem, told, warning
from config import access, clock, paths, proxy_files
from config.errors import RotateError

OLD_BACKUP_DAYS: Final = 14.0
SHOWN: Final = 3
_OURS: Final = (
    "pool.db*",
    "usage.db*",
    "config.toml",
    "client.key",
    "top.json",
    "backups/*",
    "locks/*",
    "proxies/*",
    "*ca/mitmproxy-ca.pem",
)
"""Of the other files in the folders of authorities nothing is a secret."""
_FOLDERS: Final = ("backups", "ca", "debug-ca", "locks", "proxies", "logs")
MEND: Final = "Run `codex-rotate doctor --fix`"
FROM_MEMORY: Final = (
    "Keep it running and put the file back, or move aside what is there and run `codex-rotate backup list` and "
    "`codex-rotate backup restore NAME`: the proxy goes on with it."
)
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
    """`trouble` is why the pool cannot be opened, `repaired` what opening it has closed to others, `refused` why
    nothing can be written to our folder. `strangers` are files there that belong to somebody else, `unseen` folders
    into which nobody lets us look, each with what to do."""

    home: Path
    there: bool = True
    trouble: str = ""
    repaired: tuple[str, ...] = ()
    loose: tuple[Loose, ...] = ()
    refused: access.DiskRefusal | None = None
    strangers: tuple[access.DiskRefusal, ...] = ()
    unseen: tuple[access.DiskRefusal, ...] = ()
    settings_trouble: str = ""
    from_memory: tuple[TroubleNote, ...] = ()
    """The proxies that run and cannot use the pool's file."""
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
    home = paths.home(environ)
    return Storage(
        home=home,
        there=bool(trouble) or access.seen(file),
        trouble=trouble,
        repaired=repaired,
        loose=tuple(loose(home)),
        refused=access.refusal(home) or access.full(home),
        strangers=tuple(strangers(home)),
        unseen=tuple(unseen(home)),
        settings_trouble=_settings_trouble(environ),
        from_memory=trouble_notes.left(proxy_files.folder(environ), clock.now()),
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


def strangers(home: Path) -> Iterator[access.DiskRefusal]:
    """Our folder if it is somebody else's, else what in it is: a command that was run as root leaves such files."""
    if refused := access.belonging(home):
        yield refused
        return
    for folder in (home, *(home / name for name in _FOLDERS)):
        for path in sorted(_inside(folder) or ()):
            if refused := access.belonging(path):
                yield refused


def unseen(home: Path) -> Iterator[access.DiskRefusal]:
    """Folders of ours into which nobody lets us look."""
    for folder in (home, *(home / name for name in _FOLDERS)):
        if _inside(folder) is None and (refused := access.refusal(folder)):
            yield replace(refused, culprit=folder)
            if folder == home:
                return


def _inside(folder: Path) -> list[Path] | None:
    """What is in a folder, nothing for one that is not there; None for one that cannot be read."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def _settings_trouble(environ: Mapping[str, str]) -> str:
    from config import settings  # late: msgspec

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


def served(storage: Storage) -> Findings:
    """Proxies that run and go on from memory, because the file was taken away or damaged under them."""
    for each in storage.from_memory:
        what = f"The proxy of process {each.pid} serves from memory: pool.db {each.trouble}."
        yield problem("storage.memory", what, FROM_MEMORY)


def disk(storage: Storage) -> Findings:
    """Whether anything can be written. A pool that cannot be opened has said why."""
    if storage.refused is not None and not storage.trouble:
        what = f"Nothing can be written to {storage.home}: {storage.refused.of(storage.home)}."
        yield problem("storage.disk", what, storage.refused.remedy)


def owners(storage: Storage) -> Findings:
    """Files in our folder that are not ours. That the folder itself is not is why the pool cannot be opened."""
    if storage.strangers and not (storage.trouble and storage.strangers[0].culprit == storage.home):
        first = storage.strangers[0]
        verb = first.what if len(storage.strangers) == 1 else first.what.replace("belongs", "belong", 1)
        what = f"{_some([each.culprit for each in storage.strangers])} {verb}."
        yield problem("storage.owner", what, first.remedy)


def modes(storage: Storage) -> Findings:
    for sentence in storage.repaired:
        yield warning("storage.modes", sentence, f"{LOG_IN_AGAIN}.")
    if storage.loose:
        shown = _some([f"{each.path} ({each.mode:04o})" for each in storage.loose])
        yield problem("storage.modes", f"Others on this machine can get at {shown}.", f"{MEND}.")
    if storage.unseen:
        shown = _some([each.culprit for each in storage.unseen])
        yield warning("storage.modes", f"Who can get at {shown} cannot be looked at.", storage.unseen[0].remedy)
    elif storage.there and not storage.loose:
        yield ok("storage.modes", "Our files are for their owner only.")


def _some(found: Sequence[object]) -> str:
    """The first of many, and how many more there are."""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{', '.join(map(str, found[:SHOWN]))}{more}"


def settings(storage: Storage) -> Findings:
    if storage.settings_trouble:
        yield told("storage.settings", storage.settings_trouble)
    else:
        yield ok("storage.settings", "The settings can be used.")


def backups(storage: Storage, now: float) -> Findings:
    if storage.backups_trouble:
        yield told("storage.backups", storage.backups_trouble, Severity.WARNING)
    elif storage.there:
        yield from _backups(storage, now)


def _backups(storage: Storage, now: float) -> Findings:
    damaged = [each.name for each in storage.backups if each.condition is BackupCondition.DAMAGED]
    if damaged:
        what = f"Backups that cannot be read: {', '.join(damaged[:SHOWN])}."
        yield warning("storage.backups", what, "Delete them, and run `codex-rotate backup create`.")
    usable = [each for each in storage.backups if each.condition is BackupCondition.USABLE]
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
    paths.set_mode(found.path, found.wanted)
    return f"{found.path} was open to others ({found.mode:04o}) and is now its owner's only ({found.wanted:04o})."
