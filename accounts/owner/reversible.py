"""What an owner changes where they look at the accounts, each with the way back. All of it is what a command does too,
written in the history alike; `by` says there who it was ("": whoever may use the commands)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from accounts.errors import UsageError
from accounts.model import Account
from accounts.owner import changes, only_account, rests
from accounts.owner.names import checked_label
from accounts.owner.values import TagEdit, read_percent, read_tags
from accounts.policy import stored_candidates
from accounts.store.store import Store

CLEARED: Final = "its owner ended it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`said` is what was done, in a sentence; `trouble` what follows that may not be wanted, "" for nothing. `undo`
    takes it back, None where nothing has changed."""

    said: str
    trouble: str = ""
    undo: "Callable[[Store, float], Change] | None" = None

    @property
    def words(self) -> str:
        """All of it that somebody reads."""
        return " ".join(filter(None, (self.said, self.trouble)))


type Work = Callable[[Store, float], Change]


def pause_or_resume(account: Account) -> Work:
    """Whichever it is not."""
    return enable(account, enabled=not account.enabled)


def enable(account: Account, *, enabled: bool, by: str = "") -> Work:
    """Pause an account, or let it serve again."""

    def work(store: Store, now: float) -> Change:
        changed, _ = changes.set_enabled(store, [account.key], enabled=enabled, now=now, by=by)
        if not changed:
            return Change(said=f"{account.label} was {'not paused' if enabled else 'paused already'}.")
        undo = enable(account, enabled=not enabled, by=by)
        if enabled:
            return Change(said=f"{account.label} may serve again.", trouble=_hindrance(store, account, now), undo=undo)
        said = f"{account.label} is paused: nothing new is sent there, and turns under way are finished."
        return Change(said=said, trouble=changes.nobody_left(store, now), undo=undo)

    return work


def use(account: Account, *, by: str = "") -> Work:
    """Everybody uses this account."""

    def work(store: Store, now: float) -> Change:
        before = store.chosen_account()
        _, changed = only_account.choose_account(store, account.key, now, by=by)
        if not changed:
            return Change(said=f"Everybody uses {account.label} already.")
        trouble = _hindrance(store, account, now)
        return Change(said=f"Everybody uses {account.label} now.", trouble=trouble, undo=_choose_again(before, by))

    return work


def use_any(*, by: str = "") -> Work:
    """The pool chooses for each thread again."""

    def work(store: Store, now: float) -> Change:
        before = store.chosen_account()
        _, changed = only_account.choose_nobody(store, now, by=by)
        if not changed:
            return Change(said="No account was chosen: the pool chooses for each thread.")
        return Change(said="The pool chooses for each thread again.", undo=_choose_again(before, by))

    return work


def _choose_again(key: str, by: str) -> Work:
    def work(store: Store, now: float) -> Change:
        account = next((each for each in store.accounts() if each.key == key), None)
        again = use(account, by=by) if account is not None else use_any(by=by)
        return again(store, now)

    return work


def clear(account: Account, *, by: str = "") -> Work:
    """End the rest of an account."""

    def work(store: Store, now: float) -> Change:
        rest = store.cooldowns().get(account.key)
        if rest is None or rest.until <= now or not rests.end_rest(store, account, rest, by or CLEARED, now):
            return Change(said=f"{account.label} does not rest.")

        def undo(store: Store, now: float) -> Change:
            again = rests.restore_rest(store, account, rest, now, by=by)
            return Change(said=f"{account.label} {'rests again' if again else 'would be back by now'}.")

        trouble = _hindrance(store, account, now)
        return Change(said=f"The rest of {account.label} is over.", trouble=trouble, undo=undo)

    return work


def relabel(account: Account, typed: str, *, by: str = "") -> Work:
    """Another name. Raises UsageError for what cannot be one."""
    label = checked_label(typed) or ""

    def work(store: Store, now: float) -> Change:
        before, changed = changes.relabel(store, account.key, label, now, by=by)
        if not changed:
            return Change(said=f"{label} is called that already.")
        return Change(said=f"{before.label} is now called {label}.", undo=relabel(account, before.label, by=by))

    return work


def retag(account: Account, typed: str, *, by: str = "") -> Work:
    """`+team -old`: tags that come and go. Raises UsageError."""
    edit = read_tags(typed.split(), ())
    if not any(edit):
        raise UsageError("No tag is named. Say +team to add one, -team to take it away.")
    return _retag(account, edit, by)


def set_tags(account: Account, typed: str, *, by: str = "") -> Work:
    """`team, work`: these and no others, "" for none. Raises UsageError."""
    wanted, unwanted = read_tags(typed.replace(",", " ").split(), ())
    if unwanted:
        raise UsageError("Name the tags that it is to have: the others go.")
    kept = {tag.casefold() for tag in wanted}
    return _retag(account, TagEdit(wanted, tuple(tag for tag in account.tags if tag.casefold() not in kept)), by)


def _retag(account: Account, edit: TagEdit, by: str) -> Work:
    def work(store: Store, now: float) -> Change:
        before, changed, tags = changes.retag(store, account.key, edit, now, by=by)
        has = f"has the tags {', '.join(tags)}" if tags else "has no tags"
        if not changed:
            return Change(said=f"{before.label} {has} already.")
        new = tuple(tag for tag in tags if tag not in before.tags)
        gone = tuple(tag for tag in before.tags if tag not in tags)
        return Change(said=f"{before.label} {has}.", undo=_retag(account, TagEdit(gone, new), by))

    return work


def raise_priority(account: Account, more: int) -> Work:
    """By this much, or lower it. Raises UsageError."""
    return prioritise(account, str(account.priority + more))


def prioritise(account: Account, typed: str, *, by: str = "") -> Work:
    """Prefer an account, or prefer others. Raises UsageError."""
    wanted = changes.read_priority(typed)

    def work(store: Store, now: float) -> Change:
        before, changed = changes.prioritise(store, account.key, wanted, now, by=by)
        if not changed:
            return Change(said=f"{before.label} has priority {wanted} already.")
        said = f"{before.label} has priority {wanted}: new threads go to the highest that can serve."
        return Change(said=said, undo=prioritise(account, str(before.priority), by=by))

    return work


def reserve(account: Account, typed: str, *, by: str = "") -> Work:
    """Keep so many percent of each window for the owner. Raises UsageError."""
    wanted = read_percent(typed)

    def work(store: Store, now: float) -> Change:
        before, changed = changes.reserve(store, account.key, wanted, now, by=by)
        said = (
            f"{wanted} % of each window of {before.label} are kept" if wanted else f"Nothing of {before.label} is kept"
        )
        if not changed:
            return Change(said=f"{said} already.")
        trouble = _hindrance(store, account, now) if wanted else ""
        undo = reserve(account, str(before.reserve_percent), by=by)
        return Change(said=f"{said}.", trouble=trouble, undo=undo)

    return work


def _hindrance(store: Store, account: Account, now: float) -> str:
    """What keeps an account from serving, "" for nothing."""
    found = stored_candidates(store).get(account.key)
    return only_account.hindrance(found, now) if found is not None else ""
