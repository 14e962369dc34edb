"""What to say of a pool without accounts: it may be a new one in the place of one that is gone."""

from pathlib import Path

from accounts.errors import NoAccounts
from accounts.store.schema import BACKUPS


def no_accounts(pool: Path) -> NoAccounts:
    """Of the pool with this file; beside the file its backups are."""
    return NoAccounts(backups=any(pool.with_name(BACKUPS).glob("*.db")))
