"""What the owner decides about an account: paused or not, its label, tags, priority and reserve.

Running proxies follow at their next request. Saying what is so already changes nothing and is no failure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from accounts.choice.selection import Exhausted, Policy, Situation, choose
from accounts.errors import UsageError
from accounts.model import Account, Event
from accounts.owner.names import find_account, find_accounts
from accounts.owner.only_account import END
from accounts.owner.values import TagEdit
from accounts.policy import stored_candidates
from accounts.store.store import Store
from config.times.local_time import clock_time

MOST_PRIORITY: Final = 1000


class OwnerChange(NamedTuple):
    """`account` is as it was before; `changed` is False where it was so already."""

    account: Account
    changed: bool


class TagChange(NamedTuple):
    """`tags` are those that it has now."""

    account: Account
    changed: bool
    tags: tuple[str, ...]


def set_enabled(
    store: Store, wanted: Sequence[str], *, enabled: bool, now: float, by: str = ""
) -> tuple[list[Account], list[Account]]:
    """Pause accounts or let them serve again. Those that this changed, and those where it was so already, as they were.
    All are found, or none is changed. `by`: who says so, for the history; "": a command. Raises what find_account
    raises."""
    accounts = find_accounts(store.accounts(), wanted)
    changed = [each for each in accounts if each.enabled is not enabled]
    for account in changed:
        store.update_account(account.key, enabled=enabled).result()
        store.record(Event(at=now, kind="resumed" if enabled else "paused", key=account.key, detail=by))
    return changed, [each for each in accounts if each not in changed]


def relabel(store: Store, wanted: str, label: str, now: float, *, by: str = "") -> OwnerChange:
    """Give an account a free label. Raises LabelTaken."""
    account = find_account(store.accounts(), wanted)
    changed = account.label != label
    if changed:
        store.update_account(account.key, label=label).result()
        detail = signed(f"was {account.label}", by)
        store.record(Event(at=now, kind="relabelled", key=account.key, detail=detail))
    return OwnerChange(account, changed)


def retag(store: Store, wanted: str, edit: TagEdit, now: float, *, by: str = "") -> TagChange:
    """Add and take away tags. Case does not tell two tags apart."""
    account = find_account(store.accounts(), wanted)
    gone = {tag.casefold() for tag in edit.removed}
    kept = {tag.casefold(): tag for tag in account.tags if tag.casefold() not in gone}
    new = {tag.casefold(): tag for tag in edit.added if tag.casefold() not in kept}
    tags = (*kept.values(), *new.values())
    changed = tags != account.tags
    if changed:
        store.update_account(account.key, tags=tags).result()
        less = [f"-{tag}" for tag in account.tags if tag not in tags]
        detail = signed(" ".join([*(f"+{tag}" for tag in new.values()), *less]), by)
        store.record(Event(at=now, kind="tags_changed", key=account.key, detail=detail))
    return TagChange(account, changed, tags)


def read_priority(text: str) -> int:
    """A priority as it is typed. Raises UsageError."""
    try:
        number = int(text)
    except ValueError:
        number = MOST_PRIORITY + 1
    if abs(number) > MOST_PRIORITY:
        raise UsageError(f"A priority is a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}, not {text!r}. Say 5.")
    return number


def prioritise(store: Store, wanted: str, priority: int, now: float, *, by: str = "") -> OwnerChange:
    """Prefer an account, or prefer others."""
    account = find_account(store.accounts(), wanted)
    changed = account.priority != priority
    if changed:
        store.update_account(account.key, priority=priority).result()
        detail = signed(f"{account.priority} to {priority}", by)
        store.record(Event(at=now, kind="priority_changed", key=account.key, detail=detail))
    return OwnerChange(account, changed)


def reserve(store: Store, wanted: str, percent: int, now: float, *, by: str = "") -> OwnerChange:
    """Keep a part of each quota window of an account for its owner."""
    account = find_account(store.accounts(), wanted)
    before = account.reserve_percent
    changed = before != percent
    if changed:
        store.update_account(account.key, reserve_percent=percent).result()
        detail = signed(f"{before} % to {percent} %", by)
        store.record(Event(at=now, kind="reserve_changed", key=account.key, detail=detail))
    return OwnerChange(account, changed)


def signed(detail: str, by: str) -> str:
    """The words of the history for a change, with who has made it."""
    return ", ".join(filter(None, (detail, by)))


def nobody_left(store: Store, now: float) -> str:
    """A warning when no account can serve, "" when one can."""
    there, chosen = stored_candidates(store), store.chosen_account()
    chosen = chosen if chosen in there else ""
    if not isinstance(found := choose(there, Situation(now=now, policy=Policy(pin=chosen))), Exhausted):
        return ""
    if chosen and not there[chosen].account.enabled:
        label = there[chosen].account.label
        return f"{label} is the account that everybody uses: nobody is served until it is resumed, or `{END}`."
    if found.resets_at is not None:
        return f"Nobody can serve before {clock_time(found.resets_at, now)}. Resume an account, or wait."
    return "No account is left that can serve: requests are refused. Resume one, or add one with `codex-rotate login`."
