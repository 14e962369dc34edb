"""`pause`, `resume`, `label`, `tag`, `priority`, `reserve`: what the owner decides about an account.

Running proxies follow at their next request. Saying what is so already changes nothing and is no failure.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts.model import Account
from accounts.owner import changes
from accounts.owner.names import checked_label, listed, named, typed
from accounts.owner.only_account import hindrance, settings_pin
from accounts.owner.values import TagEdit, read_percent, read_tags
from accounts.policy import stored_candidates
from accounts.store.store import Store
from cli.ui.known_names import AccountName, complete_account, complete_change, complete_tag
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

MINUS: Final = {"ignore_unknown_options": True}
"""Lets what begins with a minus be an argument: `-5`, `-home`."""

AccountNames = Annotated[
    list[str],
    typer.Argument(
        help="Labels, beginnings of them, e-mails, account ids, or list numbers.", autocompletion=complete_account
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("pause")(pause_command)
    app.command("resume")(resume_command)
    app.command("label")(label_command)
    app.command("tag", context_settings=MINUS)(tag_command)
    app.command("priority", context_settings=MINUS)(priority_command)
    app.command("reserve", context_settings=MINUS)(reserve_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def pause_command(accounts: AccountNames, *, as_json: AsJson = False) -> Result:
    """Let accounts serve nothing until they are resumed."""
    return _on_pool(lambda store, now: pause(store, accounts, now))


def resume_command(accounts: AccountNames, *, as_json: AsJson = False) -> Result:
    """Let paused accounts serve again."""
    return _on_pool(lambda store, now: resume(store, accounts, now))


def label_command(
    account: AccountName,
    new: Annotated[str, typer.Argument(metavar="LABEL", help="The new name.")],
    *,
    as_json: AsJson = False,
) -> Result:
    """Give an account another name."""
    label, pin = checked_label(new) or "", _settings_pin()
    return _on_pool(lambda store, now: relabel(store, account, label, pin, now))


def tag_command(
    account: AccountName,
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[+TAG|-TAG]...", help="What to add, or take away.", autocompletion=complete_change),
    ] = None,
    *,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Take a tag away.", autocompletion=complete_tag)
    ] = None,
    as_json: AsJson = False,
) -> Result:
    """Add tags to an account and take others away. Tags are for you: they do not change who serves."""
    added, removed = read_tags(changes or (), remove or ())
    return _on_pool(lambda store, now: retag(store, account, added, removed, now))


def priority_command(
    account: AccountName,
    priority: Annotated[str, typer.Argument(metavar="NUMBER", help="0 is usual; may be below 0.")],
    *,
    as_json: AsJson = False,
) -> Result:
    """Let new threads go to an account before those with a lower number."""
    wanted = changes.read_priority(priority)
    return _on_pool(lambda store, now: prioritise(store, account, wanted, now))


def reserve_command(
    account: AccountName,
    percent: Annotated[str, typer.Argument(metavar="PERCENT", help="0 to 100; 0 keeps nothing.")],
    *,
    as_json: AsJson = False,
) -> Result:
    """Keep this much of every quota window of an account for its owner."""
    wanted = read_percent(percent)
    return _on_pool(lambda store, now: reserve(store, account, wanted, now))


def _on_pool(work: Callable[[Store, float], Result]) -> Result:
    with Store(paths.pool_file()) as store:
        result = work(store, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


def _settings_pin() -> str:
    """A broken configuration is no reason not to rename an account."""
    from config.settings import ConfigError

    with suppress(ConfigError):
        return settings_pin()
    return ""


# --- working ---------------------------------------------------------------------------------------------------------


def pause(store: Store, wanted: Sequence[str], now: float) -> Result:
    """Pause accounts; says so when nobody is left."""
    changed, same = map(_labels, changes.set_enabled(store, wanted, enabled=False, now=now))
    told = []
    if changed:
        undo = f"codex-rotate resume {' '.join(typed(label) for label in changed)}"
        verb = "is" if len(changed) == 1 else "are"
        told.append(
            f"{listed(changed)} {verb} paused: nothing new is sent there from the next request on, and turns under way "
            f"are finished. Undo it: {undo}"
        )
    if same:
        told.append(f"{listed(same)} {'was' if len(same) == 1 else 'were'} paused already.")
    left = changes.nobody_left(store, now)
    return Result("\n".join(told), _data(changed, same, "paused"), notes=(left,) if left else ())


def resume(store: Store, wanted: Sequence[str], now: float) -> Result:
    """Let accounts serve again; says what else keeps them from it."""
    changed, same = map(_labels, changes.set_enabled(store, wanted, enabled=True, now=now))
    told = []
    if changed:
        told.append(f"{listed(changed)} may serve again, from the next request on. See them: codex-rotate list")
    if same:
        told.append(f"{listed(same)} {'was' if len(same) == 1 else 'were'} not paused.")
    named_now = {candidate.account.label: candidate for candidate in stored_candidates(store).values()}
    notes = [hindrance(named_now[label], now) for label in (*changed, *same) if label in named_now]
    return Result("\n".join(told), _data(changed, same, "enabled"), notes=tuple(filter(None, notes)))


def relabel(store: Store, wanted: str, label: str, pin: str, now: float) -> Result:
    """Give an account a free label. `pin` is how the settings name the account that they pin. Raises LabelTaken."""
    account, changed = changes.relabel(store, wanted, label, now)
    message = f"{named(account)} is called that already."
    if changed:
        message = f"{named(account)} is now called {label}. Use it: codex-rotate use {typed(label)}"
    notes: tuple[str, ...] = ()
    if changed and pin.strip().casefold() == account.label.casefold() != label.casefold():
        notes = (f"The settings still pin {pin!r}, which is nobody now. Set pinned_account to {label!r}.",)
    data = {"label": label, "was": account.label, "account_id": account.account_id, "changed": changed}
    return Result(message, data, notes=notes)


def retag(store: Store, wanted: str, added: Sequence[str], removed: Sequence[str], now: float) -> Result:
    """Add and take away tags; without either, show those there are."""
    account, changed, tags = changes.retag(store, wanted, TagEdit(tuple(added), tuple(removed)), now)
    has = f"has the tags {', '.join(tags)}" if tags else "has no tags"
    return Result(f"{named(account)} {has}. See all: codex-rotate list", _one(account, changed) | {"tags": list(tags)})


def prioritise(store: Store, wanted: str, priority: int, now: float) -> Result:
    """Prefer an account, or prefer others."""
    account, changed = changes.prioritise(store, wanted, priority, now)
    message = f"{named(account)} has priority {priority} already."
    if changed:
        message = f"{named(account)} has priority {priority} now, and had {account.priority}."
    rule = "New threads go to the highest priority that can serve; others stay where they are."
    return Result(f"{message} {rule}", _one(account, changed) | {"priority": priority, "was": account.priority})


def reserve(store: Store, wanted: str, percent: int, now: float) -> Result:
    """Keep a part of an account for its owner; says so when that keeps it from serving already."""
    account, changed = changes.reserve(store, wanted, percent, now)
    already = "" if changed else " already"
    message = f"Of {named(account)} nothing is kept{already}: the pool may use all of it."
    if percent:
        follows = f"once {100 - percent} % of a quota window are used, it serves nothing until that resets"
        if percent == 100:
            follows = (
                f"it serves nothing once its windows are known. `codex-rotate pause {typed(account.label)}` is sure"
            )
        message = f"{percent} % of {named(account)} are kept for its owner{already}: {follows}."
    trouble = hindrance(stored_candidates(store)[account.key], now) if percent else ""
    data = _one(account, changed) | {"reserve_percent": percent, "was": account.reserve_percent}
    return Result(message, data, notes=(trouble,) if trouble else ())


def _labels(accounts: Sequence[Account]) -> list[str]:
    return [each.label for each in accounts]


def _data(changed: Sequence[str], same: Sequence[str], state: str) -> dict[str, object]:
    return {"state": state, "changed": list(changed), "unchanged": list(same)}


def _one(account: Account, changed: bool) -> dict[str, object]:
    return {"label": account.label, "account_id": account.account_id, "changed": changed}
