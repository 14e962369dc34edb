"""`list`: what is in the pool, what each account is doing, and how much of it is used."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

import typer

from accounts.choice.quota import Window
from accounts.owner.names import typed
from accounts.states import in_words
from accounts.store.no_accounts import no_accounts
from accounts.store.store import Store
from accounts.views.account_list import AccountRow, set_by_owner, stored_rows, window_label, window_order
from accounts.views.remedies import remedies
from cli.ui.bars import MARK, bar, in_percent
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from cli.ui.words.states import ago, described
from config import clock, paths
from config.times.local_time import short_time

WIDE_BAR: Final = 8
NARROW_BAR: Final = 6


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
    rows = stored_rows(store, now)
    if not rows:
        return Result(str(no_accounts(store.path)), data=[])
    active = [row for row in rows if row.active]
    hints = remedies([(row.account, row.told) for row in rows], now)
    message = "\n".join([*(_about_active(row) for row in active), *hints])
    return Result(message, data=[_as_data(row, now) for row in rows], table=_table(rows, now))


# --- for programs ----------------------------------------------------------------------------------------------------


def _as_data(row: AccountRow, now: float) -> dict[str, object]:
    account = row.account
    return described(row.number, account, row.told, now) | {
        "windows": [asdict(each) | {"name": window_label(each)} for each in row.windows],
        "last_used": row.last_used,
        "active": row.active,
        "chosen": row.chosen,
        "tags": list(account.tags),
        "priority": account.priority,
        "reserve_percent": account.reserve_percent,
        "note": account.note,
    }


# --- for people ------------------------------------------------------------------------------------------------------


def _about_active(row: AccountRow) -> str:
    if row.chosen:
        return f"{MARK} Everybody uses {row.account.label}, until `codex-rotate use --auto`."
    return f"{MARK} Served last. `codex-rotate use {typed(row.account.label)}` would make everybody stay with it."


def _table(rows: Sequence[AccountRow], now: float) -> Table:
    """With a column per window; where there is no room for that, with the windows below each other."""
    windows = sorted((each for row in rows for each in row.windows), key=window_order)
    names = list(dict.fromkeys(window_label(each) for each in windows))
    lines = []
    for row in rows:
        used = {window_label(each): _used(each, now, WIDE_BAR) for each in row.windows}
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


def _stacked(rows: Sequence[AccountRow], now: float) -> Table:
    """Two lines and more for each account, for 80 columns. What is narrower gets the windows without bars."""
    stacked, tiny = [], []
    for row in rows:
        label = plain(row.account.label)
        who = "\n".join([label, ", ".join(filter(None, (plain(row.account.plan), _last_used(row, now))))])
        doing = "\n".join(_states(row, now))
        bars = [f"{window_label(each):<3} {_used(each, now, NARROW_BAR)}" for each in row.windows]
        words = [f"{window_label(each):<3} {_used(each, now, 0)}" for each in row.windows]
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


def _number(row: AccountRow) -> str:
    return f"{MARK if row.active else ' '} {row.number}"


def _states(row: AccountRow, now: float) -> list[str]:
    """What an account is doing, and what its owner has set, if anything."""
    return list(filter(None, (in_words(row.told, now), set_by_owner(row.account))))


def _used(window: Window, now: float, cells: int) -> str:
    resets = "" if window.used_percent else "free"
    if window.resets_at is not None:
        resets = short_time(window.resets_at, now)
    drawn = f"{bar(window.used_percent, cells)} " if cells else ""
    return f"{drawn}{in_percent(window.used_percent)}  {resets}".rstrip()


def _last_used(row: AccountRow, now: float) -> str:
    return "" if row.last_used is None else ago(row.last_used, now)
