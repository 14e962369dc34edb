"""`people`: who uses the pool besides its owner, and what each of them may use."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.owner import people
from accounts.owner.expiry import read_expiry
from accounts.owner.names import listed
from accounts.owner.people import PersonChange, budget_words, find_person
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.people import PersonView, person_data, shared_keys, stored_people
from accounts.views.spent import stored_use, use_data, use_words
from cli.login.made_up import make_login
from cli.ui.keys import keys_table
from cli.ui.known_names import complete_client_key, complete_person
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.times.local_time import clock_time
from config.times.time_zone import local_zone

NOBODY: Final = "There is nobody yet. Add somebody: codex-rotate people add NAME"
MOST_PRIORITY: Final = 1000

NewName = Annotated[str, typer.Argument(help="Letters, digits, dots, dashes and underscores.")]
KnownPerson = Annotated[str, typer.Argument(help="Who it is about.", autocompletion=complete_person)]
KnownPeople = Annotated[list[str], typer.Argument(help="Who it is about.", autocompletion=complete_person)]
Accounts = Annotated[
    str | None, typer.Option("--accounts", metavar="LIST", help="Labels and tags with commas between them, or all.")
]
Models = Annotated[str | None, typer.Option("--models", metavar="LIST", help="Models such as gpt-5*, or all.")]
Priority = Annotated[int | None, typer.Option("--priority", help="Who comes first where people wait; 0 is usual.")]
Tokens = Annotated[
    str | None, typer.Option("--tokens", metavar="BUDGET", help="Tokens in a period: 2M/day, or none for no limit.")
]
Turns = Annotated[
    str | None, typer.Option("--turns", metavar="BUDGET", help="Turns in a period: 200/day, or none for no limit.")
]
Share = Annotated[
    str | None, typer.Option("--share", metavar="PERCENT", help="Of the pool's scarcest window: 30%, or none.")
]
AtOnce = Annotated[
    str | None, typer.Option("--at-once", metavar="NUMBER", help="Turns under way at the same time, or none.")
]
Soft = Annotated[
    bool | None, typer.Option("--soft/--hard", help="Over a budget: last in the queue, or refused (the default).")
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="A key that is there already is theirs.", autocompletion=complete_client_key
    ),
]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="People who use the pool: their keys, accounts, models and budgets.")
    group.command("add")(add_command)
    group.command("list")(list_command)
    group.command("show")(show_command)
    group.command("set")(set_command)
    group.command("pause")(pause_command)
    group.command("resume")(resume_command)
    group.command("login")(login_command)
    group.command("remove")(remove_command)
    app.add_typer(group, name="people")


# --- parsing ---------------------------------------------------------------------------------------------------------


def add_command(  # noqa: PLR0913 - an option each
    name: NewName,
    *,
    accounts: Accounts = None,
    models: Models = None,
    priority: Priority = None,
    tokens: Tokens = None,
    turns: Turns = None,
    share: Share = None,
    at_once: AtOnce = None,
    soft: Soft = None,
    key: Keys = None,
    as_json: AsJson = False,
) -> Result:
    """Let somebody use the pool, as much as you say. Give them a key afterwards: `keys add --person NAME`."""
    change = PersonChange(
        accounts=accounts,
        models=models,
        priority=_checked(priority),
        tokens=tokens,
        turns=turns,
        share=share,
        at_once=at_once,
        soft=soft,
    )
    return _on_pool(lambda store, now: add(store, name, change, key or (), now))


def set_command(  # noqa: PLR0913 - an option each
    name: KnownPerson,
    *,
    accounts: Accounts = None,
    models: Models = None,
    priority: Priority = None,
    tokens: Tokens = None,
    turns: Turns = None,
    share: Share = None,
    at_once: AtOnce = None,
    soft: Soft = None,
    key: Keys = None,
    as_json: AsJson = False,
) -> Result:
    """Change what somebody may use: what is not named stays as it is."""
    change = PersonChange(
        accounts=accounts,
        models=models,
        priority=_checked(priority),
        tokens=tokens,
        turns=turns,
        share=share,
        at_once=at_once,
        soft=soft,
    )
    if change == PersonChange() and not key:
        raise UsageError(
            f"Nothing is to be changed. Say what, such as `codex-rotate people set {name} --tokens 2M/day`."
        )
    return _on_pool(lambda store, now: change_person(store, name, change, key or (), now))


def list_command(*, as_json: AsJson = False) -> Result:
    """Show everybody, with what they may use."""
    return _on_pool(list_people)


def show_command(name: KnownPerson, *, as_json: AsJson = False) -> Result:
    """Show one person: what they have used, and their keys."""
    return _on_pool(lambda store, now: show(store, name, now))


def pause_command(names: KnownPeople, *, as_json: AsJson = False) -> Result:
    """Let people use nothing until they are resumed."""
    return _on_pool(lambda store, now: pause(store, names, now, paused=True))


def resume_command(names: KnownPeople, *, as_json: AsJson = False) -> Result:
    """Let paused people go on."""
    return _on_pool(lambda store, now: pause(store, names, now, paused=False))


def login_command(
    name: KnownPerson,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here, as the client's auth.json.")
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="For how long it is good: 30d, 12h, 2w, or until a day.")
    ] = "",
    as_json: AsJson = False,
) -> Result:
    """Make a login that is worth nothing but at this proxy: their client needs no account of its own."""
    now = clock.now()
    ends = read_expiry(expires, now, local_zone()) if expires else None
    return _on_pool(lambda store, now: make_login(store, paths.client_key_file(), name, now, (ends, out)))


def remove_command(name: KnownPerson, *, as_json: AsJson = False) -> Result:
    """Forget somebody, and take their keys back."""
    return _on_pool(lambda store, now: remove(store, name, now))


def _checked(priority: int | None) -> int | None:
    if priority is not None and abs(priority) > MOST_PRIORITY:
        raise UsageError(f"A priority is from -{MOST_PRIORITY} to {MOST_PRIORITY}, not {priority}. Say 5.")
    return priority


def _on_pool(work: Callable[[Store, float], Result]) -> Result:
    with Store(paths.pool_file()) as store:
        result = work(store, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


# --- working ---------------------------------------------------------------------------------------------------------


def add(store: Store, name: str, change: PersonChange, keys: Sequence[str], now: float) -> Result:
    person = people.add(store, name, change, keys, now)
    view = _viewed(store, person.name)
    told = f"{person.name} may use {_may_use(view)}."
    if not view.keys:
        told += f" Give them a key: codex-rotate keys add --person {person.name}"
    return Result(told, {"added": person_data(view, now)})


def change_person(store: Store, name: str, change: PersonChange, keys: Sequence[str], now: float) -> Result:
    person, changed = people.change(store, name, change, keys, now)
    view = _viewed(store, person.name)
    now_or_not = "" if changed else " already"
    told = f"{person.name} may use {_may_use(view)}{now_or_not}."
    return Result(told, {"changed": changed, "person": person_data(view, now)})


def list_people(store: Store, now: float) -> Result:
    views = stored_people(store)
    if not views:
        return Result(NOBODY, {"people": []})
    columns = ("name", "state", "accounts", "models", "budgets", "keys")
    rows = tuple(
        (
            each.person.name,
            "paused" if each.person.paused else "",
            ", ".join(each.accounts) or "all",
            ", ".join(each.person.models) or "all",
            ", ".join(budget_words(each.person)) or "none",
            str(len(each.keys)),
        )
        for each in views
    )
    table = Table(columns=columns, rows=rows, clipped=frozenset({"models"}), wrapped=frozenset({"accounts", "budgets"}))
    return Result("", {"people": [person_data(each, now) for each in views]}, table=table)


def show(store: Store, name: str, now: float) -> Result:
    view = _viewed(store, find_person(store.people.all(), name).name)
    person, zone = view.person, local_zone()
    lines, notes, use = [f"{person.name} may use {_may_use(view)}."], tuple[str, ...](), None
    try:
        use = stored_use(store, person, paths.usage_file(), zone, now)
        lines += use_words(person, use, now, zone)
    except (sqlite3.Error, OSError) as e:
        notes = (f"What they have used is not known: the ledger cannot be read ({e}). `codex-rotate doctor` helps.",)
    if person.paused:
        lines.append(f"Paused: they use nothing until `codex-rotate people resume {person.name}`.")
    if person.priority:
        lines.append(f"Priority {person.priority}: the highest comes first where people wait.")
    shared = shared_keys(view.keys, store.events(EVENTS_KEPT))
    lines += [
        f"The key {key} was used from {at.first} and from {at.second} within ten minutes ({clock_time(when, now)}). "
        f"Give each machine a key of its own: codex-rotate keys add --person {person.name}"
        for key, (when, at) in shared.items()
    ]
    if not view.keys:
        lines.append(f"They have no key: codex-rotate keys add --person {person.name}")
    told = [{"key": key, "at": when, "places": [at.first, at.second]} for key, (when, at) in shared.items()]
    data = person_data(view, now) | {"used": use_data(use) if use is not None else None, "shared_keys": told}
    table = keys_table(view.keys, now) if view.keys else None
    return Result("\n".join(lines), data, table=table, notes=notes)


def pause(store: Store, names: Sequence[str], now: float, *, paused: bool) -> Result:
    changed, same = people.set_paused(store, names, paused=paused, now=now)
    told = []
    if changed and paused:
        told.append(
            f"{listed(changed)}: paused. Turns under way are finished, open sockets are closed, and nothing new is "
            f"served. Undo it: codex-rotate people resume {' '.join(changed)}"
        )
    elif changed:
        told.append(f"{listed(changed)}: may go on, from the next request on.")
    if same:
        told.append(f"{listed(same)}: {'paused already' if paused else 'not paused'}.")
    state = "paused" if paused else "resumed"
    return Result("\n".join(told), {"state": state, "changed": changed, "unchanged": same})


def remove(store: Store, name: str, now: float) -> Result:
    person, keys = people.remove(store, name, now)
    told = f"{person.name} is forgotten"
    told += (
        f", and may no longer use the proxy: {listed(keys)} {'is' if len(keys) == 1 else 'are'} taken back."
        if keys
        else "."
    )
    return Result(told, {"removed": person.name, "keys": list(keys)})


def _viewed(store: Store, name: str) -> PersonView:
    return next(each for each in stored_people(store) if each.person.name == name)


def _may_use(view: PersonView) -> str:
    accounts = listed(view.accounts) if view.accounts else "every account"
    models = f" for {listed(view.person.models)}" if view.person.models else ""
    budgets = budget_words(view.person)
    return f"{accounts}{models}, {listed(budgets)}" if budgets else f"{accounts}{models}, without a budget"
