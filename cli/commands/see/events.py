"""`events`: what has happened to the pool, a line each, and with --follow what happens from now on."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from accounts.errors import StoreError
from accounts.model import Event
from accounts.store import trouble_notes
from accounts.store.event_feed import EventFeed
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.events import KINDS, checked_kinds, event_data, wanted_events
from cli.ui.options import AsJson
from cli.ui.render import say, show_line, show_value
from cli.ui.result import Result
from cli.ui.words.event_words import event_line
from cli.ui.words.spans import moment_of
from config import clock, paths, proxy_files
from config.times.local_time import clock_time
from config.times.time_zone import local_zone

LOOK_SECONDS: Final = 0.25
"""How often it is looked whether anybody has written: a look at the file and one number of SQLite's."""
USUALLY: Final = "24h"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events: those of these kinds (none: all), since then (seconds since the epoch)."""

    kinds: frozenset[str] = frozenset()
    since: float = 0.0


def add_to(app: typer.Typer) -> None:
    app.command("events")(events_command)


def complete_kind(incomplete: str) -> list[str]:
    """For the shell."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


# --- parsing ---------------------------------------------------------------------------------------------------------


def events_command(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="From then on: 7d, 24h, today, 2026-11-30. Default: 24h; with "
                     "--follow, now."),
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only of this kind; can be said more than once.",
                     autocompletion=complete_kind),
    ] = None,
    as_json: AsJson = False,
) -> Result:  # fmt: skip
    """Show what has happened to the pool: requests and how they were served, accounts that failed, what was changed.

    The oldest comes first, and the pool keeps the last 5,000. With --follow, --json prints JSON Lines: one JSON value
    on a line for each event as it happens, and not one value in all.
    """
    now = clock.now()
    begins = since or ("" if follow else USUALLY)
    begin = moment_of("--since", begins, now, local_zone()) if begins else 0.0
    query = EventQuery(kinds=checked_kinds(kind or ()), since=begin)
    trouble_notes.refuse_where_lost(paths.pool_file(), proxy_files.folder(), now)
    with Store(paths.pool_file()) as store:
        if not follow:
            return listed(store, query, now)
        say("codex-rotate: waiting for what happens; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            go_on(store, query, earlier=bool(since), as_json=as_json)
        return Result("", None, notes=store.repairs)


# --- working ---------------------------------------------------------------------------------------------------------


def listed(store: Store, query: EventQuery, now: float) -> Result:
    """What has happened, the oldest first."""
    found = wanted_events(reversed(store.events(EVENTS_KEPT)), query.kinds, query.since)
    labels = {each.key: each.label for each in store.accounts()}
    lines = [event_line(each, labels, now) for each in found]
    nothing = f"Nothing of that has happened since {clock_time(query.since, now)}."
    data = {"events": [event_data(each, labels) for each in found]}
    return Result("\n".join(lines) or nothing, data, notes=store.repairs)


def go_on(
    store: Store, query: EventQuery, *, earlier: bool, as_json: bool, pause: Callable[[float], object] = clock.pause
) -> None:
    """Show each event as it happens, with `earlier` also those before; until `pause` raises. While the pool's file
    cannot be read that is said once, and it goes on when the file is back."""
    feed = EventFeed(store)
    if earlier:
        show(store, feed.earlier, query, as_json=as_json)
    said = ""
    while True:
        trouble = ""
        try:
            show(store, feed.news(clock.now()), query, as_json=as_json)
        except StoreError as e:
            trouble = str(e)
        if trouble != said:
            say(f"codex-rotate: {trouble or 'the pool can be read again, and it goes on'}")
            said = trouble
        pause(LOOK_SECONDS)


def show(store: Store, events: Iterable[Event], query: EventQuery, *, as_json: bool) -> None:
    """These, as far as they are asked for."""
    found = wanted_events(events, query.kinds, query.since)
    if not found:
        return
    labels = {each.key: each.label for each in store.accounts()}
    for each in found:
        if as_json:
            show_value(event_data(each, labels))
        else:
            show_line(event_line(each, labels, clock.now()))
