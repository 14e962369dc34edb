"""`backup create`, `list` and `restore`: copies of the pool, and the way back."""

from dataclasses import replace
from typing import Annotated

import typer

from accounts.store.backups import Backup, BackupCondition, Backups
from accounts.store.restoring import Restored, restore, would_lose
from accounts.store.store import Store
from cli.ui.asking import Asker, asker
from cli.ui.known_names import complete_backup
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.times.local_time import clock_time

NONE_YET = "There are no backups yet. Run `codex-rotate backup create` to make one."
SINGLE_USE = (
    "A refresh token works only once: an account that came back with tokens of the backup may need a new login, "
    "which `codex-rotate list` shows after its next use."
)
_CONDITIONS = {BackupCondition.DAMAGED: "damaged", BackupCondition.NEWER: "made by a newer codex-rotate"}


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Copies of the pool: make one, list them, bring one back.")
    group.command("create")(create_command)
    group.command("list")(list_command)
    group.command("restore")(restore_command)
    app.add_typer(group, name="backup")


# --- parsing ---------------------------------------------------------------------------------------------------------


def create_command(
    name: Annotated[str | None, typer.Argument(help="What to call it. Default: the time, in UTC.")] = None,
    *,
    as_json: AsJson = False,
) -> Result:
    """Copy the pool, even while a proxy uses it."""
    with Store(paths.pool_file()) as store:
        return replace(create_backup(_backups(), name, clock.now()), notes=store.repairs)


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the backups, the newest first."""
    return list_backups(_backups(), clock.now())


def restore_command(
    name: Annotated[
        str, typer.Argument(help="Which one, as `codex-rotate backup list` calls it.", autocompletion=complete_backup)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before accounts are removed.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Make the pool what it was in a backup. Tokens that were refreshed since then stay; running proxies notice."""
    with Store(paths.pool_file()) as store:
        return replace(restore_backup(_backups(), name, asker(yes=yes), clock.now()), notes=store.repairs)


def _backups() -> Backups:
    return Backups(paths.pool_file(), paths.backups_folder())


# --- working ---------------------------------------------------------------------------------------------------------


def create_backup(backups: Backups, name: str | None, now: float) -> Result:
    """Make one backup."""
    made = backups.create(name, now)
    message = f"The backup {made.stem} was made: {made}. It holds tokens; keep it as private as the pool."
    return Result(message, data={"name": made.stem, "file": str(made), "size": made.stat().st_size})


def list_backups(backups: Backups, now: float) -> Result:
    """One row per backup."""
    entries = backups.entries()
    if not entries:
        return Result(NONE_YET, data=[])
    rows = tuple((each.name, clock_time(each.made_at, now), _size(each.size), _contents(each)) for each in entries)
    table = Table(columns=("name", "made", "size", "accounts"), rows=rows, wrapped=frozenset({"name", "accounts"}))
    return Result("", data=[_as_data(each) for each in entries], table=table)


def restore_backup(backups: Backups, name: str, who: Asker, now: float) -> Result:
    """Bring one backup back. Asks only when accounts would be removed."""
    losing = would_lose(backups, name)
    if losing and not who.confirm(
        f"Not in the backup {name}, and will be removed from the pool: {', '.join(losing.values())}. Go on?", "--yes"
    ):
        return Result("Nothing was restored.", data={"restored": None}, exit_code=1)
    done = restore(backups, name, now, may_lose=losing.keys())
    data = {
        "restored": name,
        "accounts": done.accounts,
        "kept_tokens": list(done.kept),
        "returned": list(done.returned),
        "removed": list(done.removed),
        "safety_backup": done.safety,
    }
    return Result("\n".join(_told(name, done)), data)


def _told(name: str, done: Restored) -> list[str]:
    lines = [f"The pool is as it was in the backup {name}: {_counted(done.accounts)}."]
    names = f" ({', '.join(done.kept)})" if done.kept else ""
    lines.append(f"Newer tokens of the pool were kept for {_counted(len(done.kept))}{names}.")
    if done.returned:
        lines.append(f"Back in the pool: {', '.join(done.returned)}.")
    if done.removed:
        lines.append(f"Removed, because not in the backup: {', '.join(done.removed)}.")
    if done.spent:
        lines.append(
            f"The refresh tokens of {', '.join(done.spent)} were used since the backup was made, and are not sent "
            "again: each serves until its access token ends, then it needs a login (`codex-rotate login`)."
        )
    lines.append(SINGLE_USE)
    lines.append(
        f"What was there before is in the backup {done.safety}: "
        f"`codex-rotate backup restore {done.safety}` brings it back."
    )
    return lines


def _contents(backup: Backup) -> str:
    return _CONDITIONS.get(backup.condition, str(backup.accounts))


def _counted(number: int) -> str:
    return f"{number} account" if number == 1 else f"{number} accounts"


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{size / 1_000:.0f} kB"


def _as_data(backup: Backup) -> dict[str, object]:
    return {
        "name": backup.name,
        "made_at": backup.made_at,
        "size": backup.size,
        "condition": str(backup.condition),
        "accounts": backup.accounts,
    }
