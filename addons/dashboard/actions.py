"""What the owner changes on the page (accounts/owner/reversible.py), and for how long each change can be taken back."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from accounts.errors import UnknownAccount, UsageError
from accounts.model import Account
from accounts.owner import reversible
from accounts.owner.reversible import Change, Work
from accounts.store.store import Store

MOST_UNDONE: Final = 200
"""So many of the last changes can be taken back."""
BY: Final = "by the owner, on the page"
"""Who it was, for the history."""


class PageAction(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    USE = "use"
    AUTO = "auto"
    CLEAR = "clear"
    LABEL = "label"
    PRIORITY = "priority"
    TAGS = "tags"
    RESERVE = "reserve"


WORKS: Final[Mapping[PageAction, Callable[[Account, str], Work]]] = {
    PageAction.PAUSE: lambda account, _: reversible.enable(account, enabled=False, by=BY),
    PageAction.RESUME: lambda account, _: reversible.enable(account, enabled=True, by=BY),
    PageAction.USE: lambda account, _: reversible.use(account, by=BY),
    PageAction.CLEAR: lambda account, _: reversible.clear(account, by=BY),
    PageAction.LABEL: lambda account, value: reversible.relabel(account, value, by=BY),
    PageAction.PRIORITY: lambda account, value: reversible.prioritise(account, value, by=BY),
    PageAction.TAGS: lambda account, value: reversible.set_tags(account, value, by=BY),
    PageAction.RESERVE: lambda account, value: reversible.reserve(account, value, by=BY),
}
"""What is done to an account, with the value that was typed, where one is needed."""


def act(store: Store, action: PageAction, handle: str, value: str, now: float) -> Change:
    """Do it to the account with this handle; AUTO is about none. Raises UnknownAccount, UsageError, LabelTaken,
    StoreError."""
    if action is PageAction.AUTO:
        return reversible.use_any(by=BY)(store, now)
    return WORKS[action](account_of(store, handle), value.strip())(store, now)


def account_of(store: Store, handle: str) -> Account:
    """Raises UnknownAccount."""
    found = next((each for each in store.accounts() if each.handle == handle), None)
    if found is None:
        raise UnknownAccount(handle)
    return found


class PageChanges:
    """The last changes of this proxy's page, to take them back by."""

    def __init__(self) -> None:
        self._undone: OrderedDict[str, Work] = OrderedDict()

    def kept(self, change: Change) -> str:
        """What a change can be taken back by; "" where it cannot."""
        if change.undo is None:
            return ""
        name = secrets.token_hex(8)
        self._undone[name] = change.undo
        while len(self._undone) > MOST_UNDONE:
            self._undone.popitem(last=False)
        return name

    def taken(self, name: str) -> Work:
        """Once. Raises UsageError for what cannot be taken back any more."""
        undo = self._undone.pop(name, None)
        if undo is None:
            raise UsageError("That cannot be taken back any more. Change it anew.")
        return undo
