"""What a shell can complete: the names in the pool, read without making anything and without waiting for anybody.

For `autocompletion=` of the parameter that takes such a name. A name that a shell would take apart is left out.
"""

import json
import re
import sqlite3
from contextlib import closing, suppress
from typing import Annotated, Final

import typer

from config import paths
from config.errors import ConfigError

PATIENCE: Final = 0.2
"""Seconds that somebody who presses Tab waits for another process that has the pool."""
_PLAIN: Final = re.compile(r"[\w.@+-]+")


def complete_account(incomplete: str) -> list[str]:
    """Labels of accounts, as `list` has them."""
    return _plain(_in_pool("SELECT label FROM account ORDER BY added_at, key"), incomplete)


def complete_tag(context: typer.Context, incomplete: str) -> list[str]:
    """Tags that accounts have; of the account that is named, if one is."""
    named = context.params.get("account")
    rows = _in_pool("SELECT label, tags FROM account ORDER BY added_at, key")
    mine = [tags for label, tags in rows if label == named]
    found: dict[str, None] = {}
    for tags in mine or [tags for _, tags in rows]:
        with suppress(ValueError):
            found |= dict.fromkeys(json.loads(tags))
    return _plain([(tag,) for tag in found], incomplete)


def complete_change(context: typer.Context, incomplete: str) -> list[str]:
    """The same with the sign that takes a tag away, or adds one."""
    sign = incomplete[:1] if incomplete[:1] in {"+", "-"} else ""
    return [f"{sign}{tag}" for tag in complete_tag(context, incomplete.removeprefix(sign))]


def complete_client_key(incomplete: str) -> list[str]:
    """Names of clients' keys that can be taken back."""
    from accounts.people.keys import LOCAL

    found = _in_pool("SELECT name FROM client_key ORDER BY created_at, name")
    return _plain([row for row in found if row != (LOCAL,)], incomplete)


def complete_person(incomplete: str) -> list[str]:
    """Names of people."""
    return _plain(_in_pool("SELECT name FROM person ORDER BY name"), incomplete)


def complete_thread(incomplete: str) -> list[str]:
    """Ids of conversations, the last used first."""
    return _plain(_in_pool("SELECT thread FROM affinity ORDER BY used_at DESC LIMIT 20"), incomplete)


def complete_backup(incomplete: str) -> list[str]:
    """Names of backups, the newest first."""
    files = []
    with suppress(OSError, ConfigError):
        found = [each for each in paths.backups_folder().glob("*.db") if not each.name.startswith(".")]
        files = sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)
    return _plain([(file.stem,) for file in files], incomplete)


def _in_pool(question: str) -> list[tuple[str, ...]]:
    """Rows of the pool, none when its file does not tell."""
    try:
        pool = paths.pool_file()
        busy = pool.with_name(f"{pool.name}-wal").exists()  # where nobody has it open, reading would leave such files
        mode = "mode=ro" if busy else "mode=ro&immutable=1"
        with closing(sqlite3.connect(f"{pool.as_uri()}?{mode}", uri=True, timeout=PATIENCE)) as connection:
            return connection.execute(question).fetchall()
    except (sqlite3.Error, OSError, ValueError, ConfigError):
        return []


def _plain(rows: list[tuple[str, ...]], incomplete: str) -> list[str]:
    return [name for (name,) in rows if name.startswith(incomplete) and _PLAIN.fullmatch(name)]


AccountName = Annotated[
    str,
    typer.Argument(
        help="Label, beginning of one, e-mail, account id, or list number.", autocompletion=complete_account
    ),
]
