"""`top`: the accounts, the turns under way, what happened and what today took, on a screen that stays."""

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from accounts.ledger.queries import Grouping
from accounts.store import trouble_notes
from accounts.store.store import Store
from cli.top import terminal
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths, proxy_files
from config.errors import RotateError

if TYPE_CHECKING:
    from cli.top.facts import ShownFacts
    from cli.top.sources import Sources


def add_to(app: typer.Typer) -> None:
    app.command("top")(top_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def top_command(*, as_json: AsJson = False) -> Result:
    """Show the accounts, the turns under way, what happened last and what today took, as it happens.

    Keys change accounts too: ? lists them, q leaves. With --json all of it once.
    """
    if not as_json:
        terminal.check()
    trouble_notes.refuse_where_lost(paths.pool_file(), proxy_files.folder(), clock.now())
    with Store(paths.pool_file()) as store:
        result = snapshot(store, clock.now()) if as_json else watched(store)
        return replace(result, notes=(*store.repairs, *result.notes))


# --- working ---------------------------------------------------------------------------------------------------------


def snapshot(store: Store, now: float) -> Result:
    """All of it once. Raises UnreadableLedger and NewerLedger."""
    from cli.top.facts import ShownFacts
    from cli.top.snapshot import data
    from cli.top.watches.pool import PoolWatch
    from cli.top.watches.proxies import ProxyWatch
    from cli.top.watches.usage import UsageWatch

    usage = UsageWatch(paths.usage_file()).look(Grouping.ACCOUNT, now)
    facts = ShownFacts(pool=PoolWatch(store).look(now), proxies=ProxyWatch().look(now), usage=usage)
    return Result("", data(facts, now))


def watched(store: Store) -> Result:
    """The screen, until somebody leaves it. Raises NothingShows."""
    try:
        from cli.top.app import TopApp
    except ImportError as e:
        if e.name is None or e.name.partition(".")[0] != "textual":
            raise
        raise terminal.NothingShows from None
    from cli.top import preferences
    from cli.top.screen import ScreenState

    file = preferences.preferences_file()
    sources = _sources(store)
    state = ScreenState(facts=begun(sources), wanted=preferences.load(file))
    app = TopApp(sources, state, in_ascii=terminal.only_ascii(), plain=terminal.without_colours())
    if app.run():
        try:
            preferences.save(file, state.wanted)
        except (OSError, RotateError) as e:
            return Result("", notes=(f"The options could not be kept: {e}",))
    return Result("", exit_code=app.return_code or 0)


def begun(sources: "Sources") -> "ShownFacts":
    """What the screen begins with, so that it is drawn once."""
    from cli.top.facts import ShownFacts

    try:
        return ShownFacts(pool=sources.pool.look(sources.now()))
    except RotateError as e:
        return ShownFacts(trouble=str(e))


def _sources(store: Store) -> "Sources":
    from cli.top.sources import Sources
    from cli.top.watches.pool import PoolWatch
    from cli.top.watches.proxies import ProxyWatch
    from cli.top.watches.usage import UsageWatch

    return Sources(
        store=store,
        pool=PoolWatch(store),
        proxies=ProxyWatch(),
        usage=UsageWatch(paths.usage_file()),
        now=clock.now,
    )
