"""What somebody does to an account on the screen, each with the way back. All of it is what a command does too, written
in the history alike."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.errors import UsageError
from accounts.model import Account
from accounts.owner import changes, only_account, rests
from accounts.owner.names import checked_label
from accounts.owner.values import read_percent, read_tags
from accounts.policy import stored_candidates
from accounts.store.store import Store

CLEARED = "its owner ended it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """`said` is what was done, in a sentence; `trouble` what follows that may not be wanted, "" for nothing. `undo`
    takes it back, None where nothing has changed."""

    said: str
    trouble: str = ""
    undo: "Callable[[Store, float], Deed] | None" = None


type Work = Callable[[Store, float], Deed]


def pause_or_resume(account: Account) -> Work:
    return lambda store, now: _set_enabled(store, account, now, enabled=not account.enabled)


def _set_enabled(store: Store, account: Account, now: float, *, enabled: bool) -> Deed:
    changed, _ = changes.set_enabled(store, [account.key], enabled=enabled, now=now)
    if not changed:
        return Deed(said=f"{account.label} was {'not paused' if enabled else 'paused already'}.")

    def undo(store: Store, now: float) -> Deed:
        return _set_enabled(store, account, now, enabled=not enabled)

    if enabled:
        return Deed(said=f"{account.label} may serve again.", trouble=_hindrance(store, account, now), undo=undo)
    said = f"{account.label} is paused: nothing new is sent there."
    return Deed(said=said, trouble=changes.nobody_left(store, now), undo=undo)


def use(account: Account) -> Work:
    """Everybody uses this account."""

    def work(store: Store, now: float) -> Deed:
        before = store.chosen_account()
        _, changed = only_account.choose_account(store, account.key, now)
        if not changed:
            return Deed(said=f"Everybody uses {account.label} already.")
        trouble = _hindrance(store, account, now)
        return Deed(said=f"Everybody uses {account.label} now.", trouble=trouble, undo=_choose_again(before))

    return work


def use_any(store: Store, now: float) -> Deed:
    """The pool chooses for each thread again."""
    before = store.chosen_account()
    _, changed = only_account.choose_nobody(store, now)
    if not changed:
        return Deed(said="No account was chosen: the pool chooses for each thread.")
    return Deed(said="The pool chooses for each thread again.", undo=_choose_again(before))


def _choose_again(key: str) -> Work:
    def work(store: Store, now: float) -> Deed:
        account = next((each for each in store.accounts() if each.key == key), None)
        return use(account)(store, now) if account is not None else use_any(store, now)

    return work


def clear(account: Account) -> Work:
    """End the rest of an account."""

    def work(store: Store, now: float) -> Deed:
        rest = store.cooldowns().get(account.key)
        if rest is None or rest.until <= now or not rests.end_rest(store, account, rest, CLEARED, now):
            return Deed(said=f"{account.label} does not rest.")

        def undo(store: Store, now: float) -> Deed:
            again = rests.restore_rest(store, account, rest, now)
            return Deed(said=f"{account.label} {'rests again' if again else 'would be back by now'}.")

        trouble = _hindrance(store, account, now)
        return Deed(said=f"The rest of {account.label} is over.", trouble=trouble, undo=undo)

    return work


def relabel(account: Account, typed: str) -> Work:
    """Another name. Raises UsageError for what cannot be one."""
    label = checked_label(typed) or ""

    def work(store: Store, now: float) -> Deed:
        before, changed = changes.relabel(store, account.key, label, now)
        if not changed:
            return Deed(said=f"{label} is called that already.")
        return Deed(said=f"{before.label} is now called {label}.", undo=relabel(account, before.label))

    return work


def retag(account: Account, typed: str) -> Work:
    """`+team -old`: tags that come and go. Raises UsageError."""
    added, removed = read_tags(typed.split(), ())
    if not added and not removed:
        raise UsageError("No tag is named. Say +team to add one, -team to take it away.")

    def work(store: Store, now: float) -> Deed:
        before, changed, tags = changes.retag(store, account.key, added, removed, now)
        has = f"has the tags {', '.join(tags)}" if tags else "has no tags"
        if not changed:
            return Deed(said=f"{before.label} {has} already.")
        new = [f"-{tag}" for tag in tags if tag not in before.tags]
        gone = [f"+{tag}" for tag in before.tags if tag not in tags]
        return Deed(said=f"{before.label} {has}.", undo=retag(account, " ".join([*new, *gone])))

    return work


def prioritise(account: Account, by: int) -> Work:
    """Raise or lower a priority by this much."""
    return _set_priority(account, account.priority + by)


def _set_priority(account: Account, priority: int) -> Work:
    wanted = changes.read_priority(str(priority))

    def work(store: Store, now: float) -> Deed:
        before, changed = changes.prioritise(store, account.key, wanted, now)
        if not changed:
            return Deed(said=f"{before.label} has priority {wanted} already.")
        said = f"{before.label} has priority {wanted}: new threads go to the highest that can serve."
        return Deed(said=said, undo=_set_priority(account, before.priority))

    return work


def reserve(account: Account, typed: str) -> Work:
    """Keep so many percent of each window for the owner. Raises UsageError."""
    wanted = read_percent(typed)

    def work(store: Store, now: float) -> Deed:
        before, changed = changes.reserve(store, account.key, wanted, now)
        said = (
            f"{wanted} % of each window of {before.label} are kept" if wanted else f"Nothing of {before.label} is kept"
        )
        if not changed:
            return Deed(said=f"{said} already.")
        trouble = _hindrance(store, account, now) if wanted else ""
        return Deed(said=f"{said}.", trouble=trouble, undo=reserve(account, str(before.reserve_percent)))

    return work


def _hindrance(store: Store, account: Account, now: float) -> str:
    """What keeps an account from serving, "" for nothing."""
    found = stored_candidates(store).get(account.key)
    return only_account.hindrance(found, now) if found is not None else ""
