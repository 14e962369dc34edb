"""What the owner changes on the page, and how each change is taken back."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from accounts.errors import UnknownAccount, UsageError
from accounts.model import Account
from accounts.owner import changes, only_account, rests
from accounts.owner.names import checked_label
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


type Undo = Callable[[Store, float], "Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """What was done, in a sentence or two. `undo` takes it back; None where there is nothing to take back."""

    said: str
    undo: Undo | None = None


def act(store: Store, action: PageAction, handle: str, value: str, now: float) -> Change:
    """Do it to the account with this handle, with the `value` that a label or a priority needs. Raises UnknownAccount,
    UsageError, LabelTaken, StoreError."""
    if action is PageAction.AUTO:
        return choose_nobody(store, now)
    account = account_of(store, handle)
    match action:
        case PageAction.PAUSE | PageAction.RESUME:
            return set_enabled(store, account.key, enabled=action is PageAction.RESUME, now=now)
        case PageAction.USE:
            return choose(store, account.key, now)
        case PageAction.CLEAR:
            return clear(store, account, now)
        case PageAction.LABEL:
            return relabel(store, account.key, checked_label(value.strip()) or "", now)
        case PageAction.PRIORITY:
            return prioritise(store, account.key, changes.read_priority(value.strip()), now)


def account_of(store: Store, handle: str) -> Account:
    """Raises UnknownAccount."""
    found = next((each for each in store.accounts() if each.handle == handle), None)
    if found is None:
        raise UnknownAccount(handle)
    return found


def set_enabled(store: Store, key: str, *, enabled: bool, now: float) -> Change:
    changed, same = changes.set_enabled(store, [key], enabled=enabled, now=now, by=BY)
    label = (changed or same)[0].label
    if not changed:
        return Change(f"{label} {'was not paused' if enabled else 'was paused already'}.")

    def undo(store: Store, now: float) -> Change:
        return set_enabled(store, key, enabled=not enabled, now=now)

    if enabled:
        return Change(f"{label} may serve again, from the next request on.", undo)
    said = f"{label} is paused: nothing new is sent there, and turns under way are finished."
    return Change(" ".join(filter(None, (said, changes.nobody_left(store, now)))), undo)


def choose(store: Store, key: str, now: float) -> Change:
    before = store.chosen_account()
    account, changed = only_account.choose_account(store, key, now, by=BY)
    if not changed:
        return Change(f"Everybody uses {account.label} already.")
    return Change(f"From the next request on everybody uses {account.label}.", _back_to(before))


def choose_nobody(store: Store, now: float) -> Change:
    before = store.chosen_account()
    account, changed = only_account.choose_nobody(store, now, by=BY)
    if not changed:
        return Change("No account was chosen: the pool chooses for each thread.")
    label = account.label if account is not None else "The account"
    return Change(f"{label} is no longer the only one: the pool chooses again.", _back_to(before))


def _back_to(before: str) -> Undo:
    """The choice as it was."""

    def undo(store: Store, now: float) -> Change:
        there = before in {each.key for each in store.accounts()}
        return choose(store, before, now) if there else choose_nobody(store, now)

    return undo


def clear(store: Store, account: Account, now: float) -> Change:
    rest = store.cooldowns().get(account.key)
    if rest is None or rest.until <= now or not rests.end_rest(store, account, rest, BY, now):
        return Change(f"{account.label} does not rest.")

    def undo(store: Store, now: float) -> Change:
        if rests.restore_rest(store, account, rest, now, by=BY):
            return Change(f"{account.label} rests again, as it did.")
        return Change(f"The rest of {account.label} would be over by now.")

    return Change(f"The rest of {account.label} has ended: it is asked again with the next request.", undo)


def relabel(store: Store, key: str, label: str, now: float) -> Change:
    account, changed = changes.relabel(store, key, label, now, by=BY)
    if not changed:
        return Change(f"{label} is its name already.")

    def undo(store: Store, now: float) -> Change:
        return relabel(store, key, account.label, now)

    return Change(f"{account.label} is called {label} now.", undo)


def prioritise(store: Store, key: str, priority: int, now: float) -> Change:
    account, changed = changes.prioritise(store, key, priority, now, by=BY)
    if not changed:
        return Change(f"{account.label} has priority {priority} already.")

    def undo(store: Store, now: float) -> Change:
        return prioritise(store, key, account.priority, now)

    return Change(f"{account.label} has priority {priority} now.", undo)


class PageChanges:
    """The last changes of this proxy's page, to take them back by."""

    def __init__(self) -> None:
        self._undone: OrderedDict[str, Undo] = OrderedDict()

    def kept(self, change: Change) -> str:
        """What a change can be taken back by; "" where it cannot."""
        if change.undo is None:
            return ""
        name = secrets.token_hex(8)
        self._undone[name] = change.undo
        while len(self._undone) > MOST_UNDONE:
            self._undone.popitem(last=False)
        return name

    def taken(self, name: str) -> Undo:
        """Once. Raises UsageError for what cannot be taken back any more."""
        undo = self._undone.pop(name, None)
        if undo is None:
            raise UsageError("That cannot be taken back any more. Change it anew.")
        return undo
