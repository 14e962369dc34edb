"""`list`: what is in the pool, what each account is doing, and how much of it is used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import typer

from accounts.choice.outcomes import Kind
from accounts.choice.quota import MAIN, Window, left, window_name
from accounts.errors import NoAccounts
from accounts.model import Account
from accounts.owner.names import typed
from accounts.policy import stored_states
from accounts.states import Told, in_words
from accounts.store.store import Store
from cli.ui.bars import MARK, bar, in_percent
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from cli.ui.states import ago, described, remedies
from config import clock, paths
from config.local_time import short_time

WIDE_BAR: Final = 8
NARROW_BAR: Final = 6
SERVED: Final = frozenset({Kind.OK, Kind.UPGRADED})
RECENT_THREADS: Final = 2_000
RECENT_EVENTS: Final = 300
"""So many threads and events are looked at for when an account was last used: all of them would be felt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account as the list shows it. `windows` are those of its own limit first, the shortest first."""

    number: int
    account: Account
    told: Told
    windows: tuple[Window, ...]
    last_used: float | None
    active: bool
    chosen: bool


def add_to(app: typer.Typer) -> None:
    app.command("list")(list_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the accounts: what each is doing, how much of it is used, and which one serves."""
    with Store(paths.pool_file()) as store:
        result = list_accounts(store, clock.now())
        hints = (line for text in result.message.splitlines() for line in wrapped("", text, terminal_width(), 0))
        return replace(result, message="\n".join(hints), notes=store.repairs)


# --- working ---------------------------------------------------------------------------------------------------------


def list_accounts(store: Store, now: float) -> Result:
    """One row per account, in the order that list numbers count."""
    rows = tuple(_rows(store, now))
    if not rows:
        return Result(str(NoAccounts()), data=[])
    active = [row for row in rows if row.active]
    hints = remedies([(row.account, row.told) for row in rows], now)
    message = "\n".join([*(_about_active(row) for row in active), *hints])
    return Result(message, data=[_as_data(row, now) for row in rows], table=_table(rows, now))


def last_uses(store: Store) -> dict[str, float]:
    """When each account last served, by account key: as far as the last threads and requests tell."""
    from accounts.history import decisions

    uses: dict[str, float] = {}
    for thread in store.affinities(RECENT_THREADS):
        key = thread.detour or thread.key
        uses[key] = max(thread.used_at, uses.get(key, 0.0))
    for event in store.events(RECENT_EVENTS):  # a thread's time is up to a minute old, and a request may have no thread
        if event.key and event.at > uses.get(event.key, 0.0):
            attempts = [attempt for each in decisions([event]) for attempt in each.record.attempts]
            if attempts and attempts[-1].kind in SERVED:
                uses[event.key] = event.at
    return uses


def _rows(store: Store, now: float) -> Iterable[Row]:
    accounts, told, windows = store.accounts(), stored_states(store, now), store.windows()
    uses, chosen = last_uses(store), store.chosen_account()
    known = {account.key for account in accounts}
    last = max((key for key in uses if key in known), key=lambda key: uses[key], default="")
    active = chosen if chosen in known else last
    for number, account in enumerate(accounts, 1):
        key = account.key
        seen = windows.get(key, ())
        yield Row(
            number=number,
            account=account,
            told=told[key],
            windows=tuple(sorted((_current(each, now) for each in seen), key=_order)),
            last_used=uses.get(key),
            active=key == active,
            chosen=key == chosen,
        )


def _current(window: Window, now: float) -> Window:
    """The window as it is now: when its end has passed, all of it is free."""
    is_over = left(replace(window, used_percent=100.0), now) > 0
    return replace(window, used_percent=0.0, resets_at=None) if is_over else window


def _order(window: Window) -> tuple[bool, str, int]:
    return window.family != MAIN, window.family, window.minutes


# --- for programs ----------------------------------------------------------------------------------------------------


def _as_data(row: Row, now: float) -> dict[str, object]:
    account = row.account
    return described(row.number, account, row.told, now) | {
        "windows": [asdict(each) | {"name": _name(each)} for each in row.windows],
        "last_used": row.last_used,
        "active": row.active,
        "chosen": row.chosen,
        "tags": list(account.tags),
        "priority": account.priority,
        "reserve_percent": account.reserve_percent,
        "note": account.note,
    }


# --- for people ------------------------------------------------------------------------------------------------------


def _about_active(row: Row) -> str:
    if row.chosen:
        return f"{MARK} Everybody uses {row.account.label}, until `codex-rotate use --auto`."
    return f"{MARK} Served last. `codex-rotate use {typed(row.account.label)}` would make everybody stay with it."


def _table(rows: Sequence[Row], now: float) -> Table:
    """With a column per window; where there is no room for that, with the windows below each other."""
    windows = sorted((each for row in rows for each in row.windows), key=_order)
    names = list(dict.fromkeys(_name(each) for each in windows))
    lines = []
    for row in rows:
        used = {_name(each): _used(each, now, WIDE_BAR) for each in row.windows}
        who = (plain(row.account.label), plain(row.account.email), plain(row.account.plan))
        windows_used = (used.get(name, "") for name in names)
        lines.append((_number(row), *who, ", ".join(_states(row, now)), *windows_used, _last_used(row, now)))
    table = Table(
        columns=("#", "label", "e-mail", "plan", "state", *(f"{name} used, resets" for name in names), "last used"),
        rows=tuple(lines),
        clipped=frozenset({"label", "e-mail"}),
        wrapped=frozenset({"state"}),
    )
    return replace(table, narrow=replace(_without(table, "e-mail"), narrow=_stacked(rows, now)))


def _without(table: Table, column: str) -> Table:
    at = table.columns.index(column)
    rows = tuple((*row[:at], *row[at + 1 :]) for row in table.rows)
    return replace(table, columns=(*table.columns[:at], *table.columns[at + 1 :]), rows=rows)


def _stacked(rows: Sequence[Row], now: float) -> Table:
    """Two lines and more for each account, for 80 columns. What is narrower gets the windows without bars."""
    stacked, tiny = [], []
    for row in rows:
        label = plain(row.account.label)
        who = "\n".join([label, ", ".join(filter(None, (plain(row.account.plan), _last_used(row, now))))])
        doing = "\n".join(_states(row, now))
        bars = [f"{_name(each):<3} {_used(each, now, NARROW_BAR)}" for each in row.windows]
        words = [f"{_name(each):<3} {_used(each, now, 0)}" for each in row.windows]
        stacked.append((_number(row), who, doing, "\n".join(bars)))
        tiny.append((_number(row), label, "\n".join([doing, *words])))
    name, state = "label, last used", "state"
    last = Table(
        columns=("#", "label", state),
        rows=tuple(tiny),
        clipped=frozenset({"label"}),
        wrapped=frozenset({state}),
    )
    return Table(
        columns=("#", name, state, "used, resets"),
        rows=tuple(stacked),
        clipped=frozenset({name}),
        wrapped=frozenset({state}),
        narrow=last,
    )


def _number(row: Row) -> str:
    return f"{MARK if row.active else ' '} {row.number}"


def _states(row: Row, now: float) -> list[str]:
    """What an account is doing, and what its owner has set, if anything."""
    return list(filter(None, (in_words(row.told, now), _set_by_owner(row.account))))


def _used(window: Window, now: float, cells: int) -> str:
    resets = "" if window.used_percent else "free"
    if window.resets_at is not None:
        resets = short_time(window.resets_at, now)
    drawn = f"{bar(window.used_percent, cells)} " if cells else ""
    return f"{drawn}{in_percent(window.used_percent)}  {resets}".rstrip()


def _name(window: Window) -> str:
    """A window of the account's own limit goes by its length, one of another limit by that limit's name too."""
    name = window_name(window.minutes)
    return name if window.family == MAIN else f"{window.family} {name}"


def _last_used(row: Row, now: float) -> str:
    return "" if row.last_used is None else ago(row.last_used, now)


def _set_by_owner(account: Account) -> str:
    """What the owner has set, "" for nothing."""
    told: Mapping[str, object] = {
        " ".join(f"#{tag}" for tag in account.tags): account.tags,
        f"priority {account.priority}": account.priority,
        f"keeps {account.reserve_percent} %": account.reserve_percent,
    }
    return ", ".join(text for text, is_set in told.items() if is_set)
