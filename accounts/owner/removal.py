"""An account leaves the pool."""

from typing import NamedTuple

from accounts.errors import StoreError
from accounts.model import Account, Event
from accounts.store.backups import Backups
from accounts.store.store import Store


class Removal(NamedTuple):
    """`was_chosen`: it was the one that everybody used; `backups` still hold its login, by their names."""

    account: Account
    was_chosen: bool
    backups: tuple[str, ...]

    @property
    def consequences(self) -> str:
        """Sentences about both, each with a space before it; "" when there are none."""
        held = "a backup" if len(self.backups) == 1 else f"{len(self.backups)} backups"
        told = f" Its login is still in {held}: `codex-rotate backup list` shows what there is." if self.backups else ""
        if self.was_chosen:
            told += " It was the one that everybody used (`codex-rotate use`): the pool chooses again."
        return told


def remove(store: Store, backups: Backups, account: Account, now: float, *, logged_out: bool = False) -> Removal:
    """Delete our copy of an account and its login. The backups stay as they are. `logged_out`: for the history, that
    this was about the login."""
    was_chosen = store.chosen_account() == account.key
    store.remove_account(account.key).result()
    left = Event(at=now, kind="logged_out" if logged_out else "removed", key=account.key, detail=account.label)
    store.record(left)  # done, with or without history
    try:
        holding = tuple(backups.holding(account.key))
    except StoreError:  # the account is removed already, whatever is wrong with the folder
        holding = ()
    return Removal(account, was_chosen, holding)
