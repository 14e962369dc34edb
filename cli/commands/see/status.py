"""`status`: how the pool is doing."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from accounts.choice.decision_record import DECISION
from accounts.codex_files.reconcile import switched_off
from accounts.history import RequestTally
from accounts.states import OF_A_REQUEST, State, counted, in_words
from accounts.store import trouble_notes
from accounts.store.no_accounts import no_accounts
from accounts.store.store import Store
from accounts.store.trouble_notes import TroubleNote
from accounts.views.decisions import decision_data
from accounts.views.remedies import ending, remedies
from accounts.views.snapshot import Snapshot, take_snapshot
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result
from cli.ui.words.event_words import decision_line, event_line
from config import access, clock, paths, proxy_files
from config.proxy_files import ProxyInfo
from config.times.local_time import clock_time

if TYPE_CHECKING:
    from cli.running.joined import JoinedState
    from config.settings import Settings

EVENTS_SHOWN: Final = 5
INDENT: Final = 12
NO_PROXY: Final = "none runs; `codex-rotate run` starts one by itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusContext:
    """What counts beside the pool: the settings, our folder, the proxies that run, the variable that switches the sync
    off ("" for none), how wide lines may be, and the proxy of somebody else that was joined, with what it says."""

    settings: "Settings"
    home: Path
    running: Sequence[ProxyInfo] = ()
    unproven: Sequence[str] = ()
    """What is said of those that do not prove to be ours."""
    sync_off: str = ""
    width: int = 0
    joined: "JoinedState | None" = None
    from_memory: Sequence[TroubleNote] = ()
    """The proxies that run and cannot use the pool's file."""
    full: str = ""
    """What is said of the disk, if nothing can be written to it."""


def add_to(app: typer.Typer) -> None:
    app.command("status")(status_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def status_command(*, as_json: AsJson = False) -> Result:
    """Show how the pool is doing: accounts, proxies, requests and rotations, the sync, and what happened last."""
    from cli.running import joined, proxies
    from config import settings  # late: msgspec

    context = StatusContext(
        settings=settings.load(),
        home=paths.home(),
        running=proxies.running(),
        unproven=[proxies.not_proven(each) for each in proxies.unproven()],
        sync_off=switched_off(os.environ),
        width=terminal_width(),
        joined=joined.state(os.environ),
        from_memory=trouble_notes.left(proxy_files.folder(), clock.now()),
        full=_full(paths.home()),
    )
    trouble_notes.refuse_where_lost(paths.pool_file(), proxy_files.folder(), clock.now())
    with Store(paths.pool_file()) as store:
        return replace(status(store, context, clock.now()), notes=store.repairs)


# --- working ---------------------------------------------------------------------------------------------------------


def status(store: Store, context: StatusContext, now: float) -> Result:
    """The pool in a few lines. Exit code 3 when no account could serve a request now."""
    seen = take_snapshot(store, context.settings, now)
    ready = any(each.serves for each in seen.told.values())
    if context.joined is not None:  # which goes before the pool
        ready = not context.joined.trouble
    lines = [line for name, text in _rows(seen, context, now) for line in _line(name, text, context.width)]
    if not ready and context.joined is None:
        seats = [(each, seen.told[each.key]) for each in seen.accounts]
        lines += [
            line
            for text in remedies(seats, now) or [str(no_accounts(store.path))]
            for line in wrapped("", text, context.width, 0)
        ]
    return Result("\n".join(lines), _data(seen, context), exit_code=0 if ready else 3)


# --- words -----------------------------------------------------------------------------------------------------------


def _rows(seen: Snapshot, context: StatusContext, now: float) -> list[tuple[str, str]]:
    """What stands behind which word."""
    counts = Counter(each.state for each in seen.told.values())
    others = [each for each in seen.events if each.kind != DECISION]
    seats = [(each, seen.told[each.key]) for each in seen.accounts]
    rows = [
        ("Home", str(context.home)),
        ("Backend", context.settings.chatgpt_base_url),
        *([("Joined", _joined(context.joined))] if context.joined is not None else []),
        ("Accounts", counted(counts) or "none"),
        ("Strategy", _strategy(seen, context.settings, now)),
    ]
    if seen.next_reset is not None:
        until, key = seen.next_reset
        rows.append(("Next reset", f"{clock_time(until, now)} ({seen.labels[key]})"))
    return [
        *rows,
        *_section("Logins", [plain(each) for each in ending(seats, now)]),
        *_section("Proxies", _proxies(context)),
        *_section("Pool file", [_from_memory(each) for each in context.from_memory]),
        *_section("Disk", [context.full] if context.full else []),
        ("Requests", _requests(seen.tally, now)),
        ("Sync", f"switched off by {context.sync_off}" if context.sync_off else _sync(seen.counters)),
        *_section("Decisions", [decision_line(each, now) for each in seen.decisions[:EVENTS_SHOWN]]),
        *_section("Recently", [event_line(each, seen.labels, now) for each in others[:EVENTS_SHOWN]]),
    ]


def _data(seen: Snapshot, context: StatusContext) -> dict[str, object]:
    counts = Counter(each.state for each in seen.told.values())
    return {
        "home": str(context.home),
        "backend": context.settings.chatgpt_base_url,
        "accounts": {str(state): counts[state] for state in State if state not in OF_A_REQUEST},
        "strategy": context.settings.strategy,
        "joined": {"proxy": context.joined.place, "name": context.joined.name, "answers": not context.joined.trouble}
        if context.joined is not None
        else None,
        "chosen": seen.labels.get(seen.chosen),
        "only": seen.labels.get(seen.pin, seen.pin) or None,
        "next_reset": seen.next_reset[0] if seen.next_reset else None,
        "proxies": [{"url": each.url, "pid": each.pid, "version": each.version} for each in context.running],
        "requests": {
            "served": seen.tally.requests,
            "rotations": seen.tally.rotations,
            "since": seen.tally.since,
        },
        "decisions": [decision_data(each) for each in seen.decisions[:EVENTS_SHOWN]],
        "events": [
            {"at": e.at, "kind": e.kind, "account": seen.labels.get(e.key), "thread": e.thread, "detail": e.detail}
            for e in seen.events[:EVENTS_SHOWN]
        ],
        "counters": dict(seen.counters),
    }


def _joined(found: "JoinedState") -> str:
    if found.trouble:
        return found.trouble
    return f"the proxy at {found.place} as {found.name}; `run`, `env` and `bind` use it, and it answers"


def _proxies(context: StatusContext) -> Sequence[str]:
    return [*(f"{each.url} (process {each.pid})" for each in context.running), *context.unproven] or [NO_PROXY]


def _full(home: Path) -> str:
    full = access.full(home)
    if full is None:
        return ""
    return f"{home} {full.what}. Until there is room no token is renewed: each account serves until its own ends"


def _from_memory(note: TroubleNote) -> str:
    return f"process {note.pid} serves from memory: to it, the file {note.trouble}"


def _line(name: str, text: str, width: int) -> list[str]:
    return wrapped(f"{name:<{INDENT}}", text, width, INDENT)


def _section(name: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Several lines under one name."""
    return [(name if n == 0 else "", text) for n, text in enumerate(texts)]


def _strategy(seen: Snapshot, settings: "Settings", now: float) -> str:
    if not seen.pin:
        return settings.strategy.replace("_", " ")
    chosen = seen.pin == seen.chosen
    why = "chosen for every client with `codex-rotate use`" if chosen else "the setting `pinned_account`"
    if seen.pin not in seen.told:
        return f"only {seen.pin} may serve, which is not in the pool: {why}"
    return f"only {seen.labels[seen.pin]} serves, which is {in_words(seen.told[seen.pin], now)}: {why}"


def _requests(counted: RequestTally, now: float) -> str:
    if not counted.requests or counted.since is None:
        return "none yet"
    since = f"since {clock_time(counted.since, now)}"
    return f"{counted.requests} {since}, {counted.rotations} {'rotation' if counted.rotations == 1 else 'rotations'}"


def _sync(counters: Mapping[str, int]) -> str:
    """With the client's own files. What never happened is not mentioned."""
    told = (
        ("read_successes", "time read", "times read"),
        ("write_successes", "time written", "times written"),
        ("reconcile_changes", "change taken over", "changes taken over"),
    )
    failed = sum(counters[name] for name in ("read_failures", "write_failures", "reconcile_failures"))
    parts = [f"{counters[name]} {one if counters[name] == 1 else many}" for name, one, many in told if counters[name]]
    parts += [f"{failed} failed"] if failed else []
    return ", ".join(parts) or "nothing was exchanged with the client's files yet"
