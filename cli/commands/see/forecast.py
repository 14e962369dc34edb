"""`forecast` and `best`: how long the accounts last at the present pace, and which one a new thread would get."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accounts.choice.quota import window_name
from accounts.forecast import MOST_CHANGES, Course, Forecast, Outlook, Prospect
from accounts.provider.checking import Checked
from accounts.provider.usage import Verdict
from accounts.states import State, in_words, named
from accounts.store.store import Store
from accounts.views.choice import stored_choice
from accounts.views.outlook import outlook_verdict, stored_forecast
from cli.running.provider import ask_provider
from cli.ui import choices
from cli.ui.bars import in_percent
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.times.local_time import clock_time

if TYPE_CHECKING:
    from config.settings import Settings

SHOWN_CHANGES: Final = 12
LONGEST_VERDICT: Final = 2000
DAY: Final = 86_400.0
METHOD: Final = (
    "No history of the windows is stored, so the pace of a window is its average: what is used, by the time since it "
    "began. The work of accounts that are out goes to the others, by the size of their plans. Rather too early than "
    "too late."
)

Live = Annotated[bool, typer.Option("--live", help="Ask the provider first, as `check` does. Spends no quota.")]


@dataclass(frozen=True, slots=True)
class ForecastOptions:
    """How a forecast is told. `columns` is how wide lines may be, 0 for any width."""

    explain: bool = False
    live: bool = False
    columns: int = 0


def add_to(app: typer.Typer) -> None:
    app.command("forecast")(forecast_command)
    app.command("best")(best_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def forecast_command(
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Say how each number came about.")] = False,
    live: Live = False,
    as_json: AsJson = False,
) -> Result:
    """Show how each account fares now, within the next hour and until its windows reset, and when nobody is left."""
    from config import settings  # late: msgspec

    in_force = settings.load()
    with Store(paths.pool_file()) as store:
        notes = ask_first(store, quiet=as_json) if live else ()
        wanted = ForecastOptions(explain=explain, live=live, columns=terminal_width())
        return replace(foretell(store, in_force, wanted, clock.now()), notes=(*store.repairs, *notes))


def best_command(*, live: Live = False, as_json: AsJson = False) -> Result:
    """Say which account a new thread would get now, and why. `why` shows all of them."""
    from config import settings  # late: msgspec

    in_force = settings.load()
    with Store(paths.pool_file()) as store:
        notes = ask_first(store, quiet=as_json) if live else ()
        return replace(best(store, in_force, clock.now()), notes=(*store.repairs, *notes))


def ask_first(store: Store, *, quiet: bool) -> tuple[str, ...]:
    """Ask the provider about every account. Gives sentences about what that did not bring."""
    checked, unsaved = ask_provider(store, store.accounts(), quiet=quiet)
    return (*unsaved, *(_unanswered(each) for each in checked if each.finding.verdict is Verdict.UNKNOWN))


def _unanswered(checked: Checked) -> str:
    detail = checked.finding.detail
    return f"{checked.account.label}: {detail}. What was known of it before is used; try again."


# --- working ---------------------------------------------------------------------------------------------------------


def best(store: Store, settings: "Settings", now: float) -> Result:
    """The choice for a new thread in one line. Exit code 3 when nobody can serve. Raises NoAccounts."""
    view = stored_choice(store, settings, "", now)
    return Result(choices.verdict(view, now), choices.as_data(view, now), exit_code=0 if view.serves else 3)


def foretell(store: Store, settings: "Settings", wanted: ForecastOptions, now: float) -> Result:
    """The forecast from what is stored. Exit code 3 when nobody can serve now. Raises NoAccounts."""
    found = stored_forecast(store, settings, now)
    how = list(explained(found, now)) if wanted.explain else []
    lines = [line for head, text in how for line in wrapped(head, text, wanted.columns, len(head) + 2 if head else 0)]
    lines += wrapped("", verdict(found, now, asked=wanted.live), wanted.columns, 0)
    serves = any(each.told.serves for each in found.prospects)
    data = as_data(found, now, asked=wanted.live)
    if wanted.explain:
        data["how"] = [f"{head}{text}".strip() for head, text in how]
    return Result("\n".join(lines), data, exit_code=0 if serves else 3, table=_table(found, now))


def _table(found: Forecast, now: float) -> Table:
    """With a column for each moment; where there is no room for that, with the moments one after the other, and for 60
    columns with the window above them."""
    rows = [_row(each, now) for each in found.prospects]
    later, outlook = "until its reset", "now → next hour → until its reset"
    onwards = [(account, window, _onwards(moments)) for account, window, *moments in rows]
    last = Table(
        columns=("account", outlook),
        rows=tuple((account, f"{words}\n{window}") for account, window, words in onwards),
        clipped=frozenset({"account"}),
        wrapped=frozenset({outlook}),
    )
    middle = Table(
        columns=("account", "tightest window", outlook),
        rows=tuple(onwards),
        clipped=frozenset({"account"}),
        wrapped=frozenset({outlook}),
        narrow=last,
    )
    return Table(
        columns=("account", "tightest window", "now", "next hour", later),
        rows=tuple(rows),
        clipped=frozenset({"account"}),
        wrapped=frozenset({later}),
        narrow=middle,
    )


def _onwards(moments: Sequence[str]) -> str:
    """The same state twice is told once."""
    now, hour, reset = moments
    between = [] if hour == now or reset.startswith(hour) else [hour]
    return " → ".join([now, *between, *([reset] if reset != now else [])])


def _row(each: Prospect, now: float) -> tuple[str, ...]:
    found = each.tightest
    window = "not known yet"
    if found is not None:
        window = f"{window_name(found.window.minutes)} {in_percent(found.used)} +{found.pace:.1f}/h"
    return (
        plain(each.account.label),
        window,
        named(each.told.state),
        _outlook(each.next_hour, each, now),
        plain(_in_the_end(each, now)),
    )


def _in_the_end(each: Prospect, now: float) -> str:
    """What becomes of an account, with the time."""
    if each.until_reset is Outlook.BACK and each.back_at is not None:
        return f"back {clock_time(each.back_at, now)}{_because(each)}"
    if each.until_reset is Outlook.OUT and each.out_at is not None:
        if each.out_at == now:
            return in_words(each.told, now)
        back = f", back {clock_time(each.back_at, now)}" if each.back_at is not None else ""
        return f"{_outlook(Outlook.OUT, each, now)} {clock_time(each.out_at, now)}{back}"
    resets = f", {clock_time(each.until, now)}" if each.until is not None else ""
    return f"{_outlook(each.until_reset, each, now)}{resets}"


def _outlook(outlook: Outlook, each: Prospect, now: float) -> str:
    """The outlook by the name of the state that it leads to."""
    if outlook is Outlook.OUT and each.out_at == now:
        return named(each.told.state)
    states = {Outlook.LOW: State.NEARLY_SPENT, Outlook.OUT: State.SPENT}
    return named(states[outlook]) if outlook in states else str(outlook)


def _because(each: Prospect) -> str:
    return f" ({each.told.reason.replace('_', ' ')})" if each.told.reason else ""


def verdict(found: Forecast, now: float, *, asked: bool = False) -> str:
    """How long the pool lasts. `asked`: the provider has just said what it knows."""
    return plain(outlook_verdict(found, now, asked=asked), LONGEST_VERDICT)


# --- how it came about -----------------------------------------------------------------------------------------------


def explained(found: Forecast, now: float) -> Iterator[tuple[str, str]]:
    """Each fact as the beginning of its line and the rest of it."""
    yield "", METHOD
    for each in found.prospects:
        yield "", plain(each.account.label)
        if each.barred is not None:
            yield "  ", f"cannot serve: {in_words(each.told, now)}"
        if each.account.reserve_percent:
            yield "  ", f"stops at {100 - each.account.reserve_percent} %: the rest of each window is its owner's"
        for course in each.courses:
            yield f"  {window_name(course.window.minutes)} ", _about_window(course, now)
        if not each.courses:
            yield "  ", "nothing is known of its windows"
    for minutes, pace in found.paces.items():
        yield "", f"All {window_name(minutes)} windows together: {pace:.2f} % of them an hour."
    for change in found.changes[:SHOWN_CHANGES]:
        yield (
            f"{clock_time(change.at, now)} ",
            f"{plain(change.account.label)} {'is back' if change.serves else 'is out'}",
        )
    more = len(found.changes) - SHOWN_CHANGES
    if more > 0:
        yield "", f"and {'at least ' if len(found.changes) == MOST_CHANGES else ''}{more} more changes until then"


def _about_window(course: Course, now: float) -> str:
    if course.resets_at is None:
        return "free: nothing was used since it reset"
    reset = clock_time(course.resets_at, now)
    named = course.window.resets_at is not None
    since = f"in {lasting(course.passed)}" if named else f"in at most {lasting(course.passed)}, its whole length"
    told = f"{course.used:.1f} % used {since}: {course.pace:.2f} % an hour; "
    if course.full_at is None:
        return f"{told}{course.used_at(course.resets_at - 1, now):.0f} % by its reset {reset}"
    if course.full_at <= now:
        return f"{told}used up until its reset {reset}"
    return f"{told}used up {clock_time(course.full_at, now)}, before its reset {reset}"


def lasting(seconds: float) -> str:
    """A span in two units: 3 h 5 min."""
    minutes = max(0, round(seconds / 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


# --- for programs ----------------------------------------------------------------------------------------------------


def as_data(found: Forecast, now: float, *, asked: bool = False) -> dict[str, object]:
    """Times are seconds since the epoch, paces percent an hour."""
    return {
        "now": now,
        "live": asked,
        "accounts": [_prospect_data(each, now) for each in found.prospects],
        "pool": {
            "out_at": found.out_at,
            "back_at": found.back_at,
            "until": found.until,
            "pace": {str(minutes): round(pace, 4) for minutes, pace in found.paces.items()},
            "not_counted": [each.label for each in found.unknown],
            "changes": [{"at": c.at, "account": c.account.label, "serves": c.serves} for c in found.changes],
            "verdict": verdict(found, now, asked=asked),
        },
    }


def _prospect_data(each: Prospect, now: float) -> dict[str, object]:
    return {
        "label": each.account.label,
        "account_id": each.account.account_id,
        "user_id": each.account.user_id,
        "now": str(each.now if each.now is not Outlook.BACK else Outlook.OUT),
        "state": str(each.told.state),
        "state_in_words": in_words(each.told, now),
        "next_hour": str(each.next_hour),
        "until_reset": str(each.until_reset),
        "out_at": each.out_at,
        "back_at": each.back_at,
        "resets_at": each.until,
        "reason": each.barred.text if each.barred is not None else None,
        "windows": [
            {
                "minutes": c.window.minutes,
                "used_percent": c.used,
                "pace": round(c.pace, 4),
                "limit_percent": c.limit,
                "resets_at": c.resets_at,
                "full_at": c.full_at,
                "seen_at": c.window.seen_at,
            }
            for c in each.courses
        ],
    }
