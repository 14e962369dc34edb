"""`usage`: who used how much of what, from the ledger of turns."""

import csv
import difflib
import io
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from accounts.errors import UsageError
from accounts.ledger.queries import Grouping, UsageQuery, by_local_time
from accounts.owner.names import shortened
from accounts.people.keys import LOCAL
from accounts.store.store import Store
from accounts.views.usage import UsageSum, UsageView, sum_data, usage_data, usage_view
from cli.ui import plots
from cli.ui.bars import bar
from cli.ui.known_names import complete_account
from cli.ui.ledger import dollars, group_name, opened, own_prices, percent
from cli.ui.lines import plain
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from cli.ui.words.spans import moment_of
from config import clock, paths
from config.errors import RotateError
from config.numbers import short
from config.times.local_time import clock_time
from config.times.time_zone import local_zone

BAR: Final = 16
MOST_SHOWN: Final = 60
NOTHING: Final = (
    "The ledger has no turns of that time. A proxy writes them down as they end: start a client with "
    "`codex-rotate run codex`."
)


class UnknownInLedger(UsageError):
    """`what` there is none of by that name: `person` or `account`."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        advice = f"Did you mean {near[0]}?" if near else f"It knows {', '.join(shortened(known)) or 'none by name'}."
        super().__init__(f"The ledger has no {what} called {name!r}. {advice}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOptions:
    """What was asked for; texts as they were typed."""

    by: Grouping = Grouping.DAY
    since: str = "7d"
    until: str = ""
    person: str = ""
    account: str = ""
    as_csv: bool = False
    plot: Path | None = None
    force: bool = False


def add_to(app: typer.Typer) -> None:
    app.command("usage")(usage_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def usage_command(  # noqa: PLR0913 - one for each option
    *,
    by: Annotated[Grouping, typer.Option("--by", help="What is summed up together.")] = Grouping.DAY,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="From then on: 7d, 24h, today, 2026-11-30, 2026-11-30T14:00.")
    ] = "7d",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Up to then; a date up to its end. Default: now.")
    ] = "",
    person: Annotated[str, typer.Option("--person", metavar="NAME", help="Only of this person, or client key.")] = "",
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="Only on this account.", autocompletion=complete_account)
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it, as FILE.svg or FILE.png.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a picture that is there.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Show how many turns and tokens went where, what was cached, what switching accounts cost, and what was refused.

    What it would have cost at the provider's API is a comparison and no invoice; `show_prices` switches it off.
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two ways to print the same. Choose one.")
    wanted = UsageOptions(
        by=by, since=since, until=until, person=person, account=account, as_csv=as_csv, plot=plot, force=force
    )
    return usage(paths.usage_file(), wanted, clock.now())


# --- working ---------------------------------------------------------------------------------------------------------


def usage(file: Path, wanted: UsageOptions, now: float) -> Result:
    """The sums, told as they are wanted. Raises UsageError for what cannot be meant, UnreadableLedger, NothingDraws."""
    zone = local_zone()
    since = moment_of("--since", wanted.since, now, zone)
    until = moment_of("--until", wanted.until, now, zone, ends=True) if wanted.until else now + 1
    if since >= until:
        raise UsageError(f"--since {wanted.since} is not before --until {wanted.until or 'now'}. Choose another span.")
    place = plots.checked_place(wanted.plot, force=wanted.force) if wanted.plot is not None else None
    query = UsageQuery(by=wanted.by, since=since, until=until, person=wanted.person)
    view = viewed(file, query, wanted.account, zone)
    notes = tuple(lost_in_words(view))
    data = usage_data(view)
    if place is not None:
        return _drawn(view, place, now, notes)
    if wanted.as_csv:
        return Result(as_csv(view), data, notes=notes, verbatim=True)
    if not view.groups:
        return Result(NOTHING, data, notes=notes)
    return Result("\n".join(in_words(view, now)), data, table=_table(view), notes=notes)


def viewed(file: Path, query: UsageQuery, account: str, zone: tzinfo) -> UsageView:
    """What the file has of that. Raises UnreadableLedger, and UsageError for somebody whom it does not know."""
    with opened(file) as reader:
        labels, keys = in_pool() if account or query.person else ({}, set())
        if query.person and query.person not in (known := sorted({*reader.people(), *keys} - {LOCAL})):
            raise UnknownInLedger("person", query.person, known)
        if account:
            query = replace(query, account=key_of_account(reader.accounts() | labels, account))
        cells = by_local_time(reader.cells(query), query.by, zone)
        return usage_view(cells, query, own_prices(), str(zone), reader.lost(query.since))


def in_pool() -> tuple[dict[str, str], set[str]]:
    """The labels of the pool's accounts by their keys, and the names of client keys; nothing of a pool that cannot be
    read."""
    file = paths.pool_file()
    with suppress(RotateError):
        if file.exists():
            with Store(file) as store:
                return {each.key: each.label for each in store.accounts()}, set(store.client_keys().values())
    return {}, set()


def key_of_account(known: dict[str, str], wanted: str) -> str:
    """The key of the account that has, or had last, this label; its key or id will do. Raises UnknownInLedger."""
    name = wanted.strip().casefold()
    for key, label in known.items():
        if name in {label.casefold(), key.casefold()}:
            return key
    found = [key for key in known if key.casefold().partition(":")[0] == name]
    if len(found) == 1:
        return found[0]
    raise UnknownInLedger("account", wanted, sorted(known.values()))


# --- for people ------------------------------------------------------------------------------------------------------


def _table(view: UsageView) -> Table:
    most = max((each.tokens.total for each in view.groups), default=0)
    priced = view.sources is not None
    rows, slim = [], []
    for each in _shown(view):
        share = 100 * each.tokens.total / most if most else 0.0
        name, floor = group_name(view.query.by, each), "≥ " if each.floors else ""
        numbers = (str(each.turns), f"{floor}{short(each.tokens.input)}", percent(each), short(each.tokens.output))
        more = (short(each.cold) if each.cold else "", str(each.refused or ""))
        rows.append((name, *numbers, *more, *((dollars(each),) if priced else ()), bar(share, BAR)))
        slim.append((name, numbers[0], short(each.tokens.total), bar(share, BAR // 2)))
    by = str(view.query.by)
    narrow = Table(columns=(by, "turns", "tokens", " "), rows=tuple(slim), clipped=frozenset({by}))
    columns = (
        by,
        "turns",
        "input",
        "cached",
        "output",
        "cold",
        "refused",
        *(("at API prices",) if priced else ()),
        " ",
    )
    return Table(columns=columns, rows=tuple(rows), clipped=frozenset({by}), narrow=narrow)


def _shown(view: UsageView) -> tuple[UsageSum, ...]:
    """The groups that have room: the newest, or those that took most."""
    newest = view.query.by in {Grouping.DAY, Grouping.HOUR}
    return view.groups[-MOST_SHOWN:] if newest else view.groups[:MOST_SHOWN]


def in_words(view: UsageView, now: float) -> list[str]:
    """All of it together."""
    total, tokens = view.total, view.total.tokens
    until = "" if view.query.until > now else f" until {clock_time(view.query.until, now)}"
    floor = "at least " if total.floors else ""
    hit = "" if total.cached_percent is None else f" ({percent(total)} of it cached)"
    span = f"{counted(total.turns, 'turn')} since {clock_time(view.query.since, now)}{until} ({view.zone})"
    made = f"{short(tokens.output)} out ({short(tokens.reasoning)} of it reasoning)"
    lines = [f"{span}: {floor}{short(tokens.input)} tokens in{hit}, {made}."]
    if total.floors:
        lines.append(f"{counted(total.floors, 'turn')} died before saying all that they took.")
    if total.rotations:
        share = f", {round(100 * total.cold / tokens.input)} % of all input" if total.cold and tokens.input else ""
        cost = f"{short(total.cold)} tokens that were not cached (cold){share}" if total.cold else "no cold tokens"
        lines.append(f"{counted(total.rotations, 'switch')} of account, which cost {cost}.")
    others = [
        f"{total.outcomes[outcome]} {outcome}"
        for outcome in ("continued", "failed", "left")
        if outcome in total.outcomes
    ]
    if others:
        lines.append(f"Beside those that were served: {', '.join(others)}.")
    if view.rules:
        rules = ", ".join(
            f"{plain(rule.replace('_', ' ')) or 'no reason told'} {turns}" for rule, turns in view.rules.items()
        )
        lines.append(f"{counted(total.refused, 'turn')} refused: {rules}.")
    if len(view.groups) > MOST_SHOWN:
        lines.append(f"{len(view.groups) - MOST_SHOWN} more are not shown; --csv and --json have all.")
    return [*lines, *priced_in_words(view)]


def priced_in_words(view: UsageView) -> list[str]:
    """What it would have cost."""
    if view.sources is None or view.total.cost is None or not view.total.tokens.total:
        return []
    unknown = ", ".join(f"{plain(m) or 'no model named'} ({short(n)} tokens)" for m, n in view.total.unpriced.items())
    dates = ", ".join(dict.fromkeys(each.date for each in view.sources))
    read = f", prices of {dates}" if dates else ""
    lines = [f"At the provider's API, standard tier{read}: ${view.total.cost:,.2f}. A comparison, and no invoice."]
    if view.total.cost == 0 and unknown:
        lines = []
    if unknown:
        lines.append(f"No price is known for {unknown}. A table [prices] in config.toml can say it.")
    return lines


def lost_in_words(view: UsageView) -> list[str]:
    lost = view.lost
    return [f"{counted(lost.turns, 'turn')} could not be written to the ledger ({lost.reason})."] if lost.turns else []


def counted(number: int, what: str) -> str:
    plural = {"switch": "switches"}.get(what, f"{what}s")
    return f"{number:,} {what if number == 1 else plural}"


# --- for programs ----------------------------------------------------------------------------------------------------


def as_csv(view: UsageView) -> str:
    """A line for each group, with a head; numbers as they are."""
    text = io.StringIO()
    rows: list[dict[str, Any]] = []
    for each in view.groups:
        told = sum_data(each)
        told["tokens_without_a_price"] = sum(each.unpriced.values())
        rows.append({str(view.query.by): group_name(view.query.by, each) if not each.group else each.shown, **told})
    columns = [str(view.query.by), *sum_data(view.total)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _drawn(view: UsageView, place: Path, now: float, notes: tuple[str, ...]) -> Result:
    bars = [
        plots.Bar(
            group_name(view.query.by, each),
            each.tokens.cached,
            each.tokens.input - each.tokens.cached,
            each.tokens.output,
        )
        for each in view.groups
    ]
    span = f"since {clock_time(view.query.since, now)}"
    if view.query.until <= now:
        span += f" until {clock_time(view.query.until, now)}"
    title = f"Tokens by {view.query.by}, {span} ({view.zone})"
    upright = view.query.by in {Grouping.DAY, Grouping.HOUR}
    try:
        left_out = plots.draw(plots.Drawing(title, bars, upright), place)
    except OSError as e:
        raise RotateError(f"{place} cannot be written ({e.strerror or e}). Choose another place.") from e
    more = (f"{left_out} more had no room in the picture.",) if left_out else ()
    return Result(f"{place} was written.", usage_data(view) | {"picture": str(place)}, notes=(*notes, *more))
