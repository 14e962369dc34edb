"""What the pool's history and the ledger have for the page. Everything here reads files: in a thread of the page."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from accounts.choice.decision_record import DECISION
from accounts.errors import NoAccounts
from accounts.history import decisions as decided
from accounts.ledger.prices import PriceList
from accounts.ledger.queries import Grouping, UsageQuery, UsageReader, read_usage, turns_of
from accounts.ledger.records import TurnRecord
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.choice import stored_choice
from accounts.views.timeline import timeline as told_timeline
from accounts.views.usage import NONE_LOST, usage_view
from addons.dashboard.views import decisions as decisions_html
from addons.dashboard.views import timeline as timeline_html
from addons.dashboard.views import usage as usage_html
from addons.dashboard.views.decisions import ON_A_PAGE, DecisionsSeen
from addons.dashboard.views.html import Html
from addons.dashboard.views.timeline import CHOICES, TimelineSeen
from addons.dashboard.views.usage import DEFAULT_SPAN, GROUPS, SPANS, UsageSeen
from config import paths
from config.settings import Settings
from config.times.time_zone import local_zone

HOUR: Final = 3600.0
DAY: Final = 86_400.0
SECONDS: Final = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
LONGEST_THREAD: Final = 200


def timeline(store: Store, query: Mapping[str, str], now: float) -> Html:
    """The last hours. Raises StoreError."""
    asked = query.get("hours", "")
    hours = int(asked) if asked in {str(each) for each in CHOICES} else 6
    since = now - hours * HOUR
    events, accounts = store.events(EVENTS_KEPT), store.accounts()
    told = told_timeline(events, since, now, {each.key: each.label for each in accounts}, _turns_since(since))
    seen = TimelineSeen(
        told=told,
        handles={each.label: each.handle for each in accounts},
        first=events[-1].at if len(events) >= EVENTS_KEPT else None,
    )
    return timeline_html.timeline_view(seen, hours)


def _turns_since(since: float) -> list[TurnRecord]:
    try:
        return read_usage(paths.usage_file(), lambda reader: list(reader.turns(since)))
    except (sqlite3.Error, OSError):
        return []


def decisions(store: Store, settings: Settings, query: Mapping[str, str], person: str, now: float) -> Html:
    """The turns of the history, of one thread or of all; of one person where it is one who asks. Raises StoreError."""
    thread = query.get("thread", "").strip()[:LONGEST_THREAD]
    page = int(query["page"]) if query.get("page", "").isdecimal() else 1
    events = [each for each in store.events(EVENTS_KEPT) if each.kind == DECISION and thread in {"", each.thread}]
    first = (max(1, page) - 1) * ON_A_PAGE
    mine = decided(events) if person else []
    if person:
        mine = [each for each in mine if (each.record.person or each.record.client_key) == person]
    shown = mine[first : first + ON_A_PAGE] if person else decided(events[first : first + ON_A_PAGE])
    choice = None
    if not person:
        try:
            choice = stored_choice(store, settings, thread, now)
        except NoAccounts:
            choice = None
    seen = DecisionsSeen(
        found=list(zip(shown, turns_of(paths.usage_file(), ((each.thread, each.at) for each in shown)), strict=True)),
        count=len(mine) if person else len(events),
        page=max(1, page),
        now=now,
        thread=thread,
        person=person,
        choice=choice,
    )
    return decisions_html.decisions_view(seen)


def usage(settings: Settings, query: Mapping[str, str], person: str, now: float) -> Html:
    """What the ledger has of a time. A file that cannot be read says so."""
    span = query.get("span", "") if query.get("span", "") in SPANS else DEFAULT_SPAN
    groups = [each for each in GROUPS if not person or each in {Grouping.PROJECT, Grouping.MODEL}]
    by = next((each for each in groups if query.get("by") == str(each)), groups[0])
    zone, prices = local_zone(), _prices(settings)
    since = now - SECONDS[span]
    try:
        with closing(UsageReader(paths.usage_file())) as reader:
            lost = reader.lost(since) if not person else NONE_LOST
            views = {}
            for each in groups:
                asked = UsageQuery(by=each, since=since, until=now + 1, person=person)
                views[each] = usage_view(reader.cells(asked), asked, prices, str(zone), lost)
            asked = UsageQuery(by=by, since=since, until=now + 1, person=person)
            over_time = _buckets(reader.over_time(asked), since, now, zone)
    except (sqlite3.Error, OSError) as e:
        said = getattr(e, "strerror", None) or str(e)
        return usage_html.usage_view(
            UsageSeen(
                views={},
                by=by,
                span=span,
                over_time=(),
                trouble=f"The ledger cannot be read now ({said}). Turns go on.",
            )
        )
    return usage_html.usage_view(UsageSeen(views=views, by=by, span=span, over_time=over_time, person=person))


def _prices(settings: Settings) -> PriceList | None:
    return PriceList.with_own(settings.prices) if settings.show_prices else None


def _buckets(
    told: Sequence[tuple[float, str, int]], since: float, now: float, zone: tzinfo
) -> list[tuple[str, dict[str, float]]]:
    """By the hour for a day, by the day for longer; also those in which nothing was."""
    daily = now - since > 2 * DAY
    form = "%a %d" if daily else "%H:00"
    key = "%Y-%m-%d" if daily else "%Y-%m-%d %H"
    found: dict[str, tuple[str, dict[str, float]]] = {}
    at, last = datetime.fromtimestamp(since, UTC).astimezone(zone), datetime.fromtimestamp(now, UTC).astimezone(zone)
    step = timedelta(days=1) if daily else timedelta(hours=1)
    while at < last + step:
        if f"{at:{key}}" <= f"{last:{key}}":
            found.setdefault(f"{at:{key}}", (f"{at:{form}}", {}))
        at += step
    for moment, group, tokens in told:
        when = datetime.fromtimestamp(moment, UTC).astimezone(zone)
        _, sums = found.setdefault(f"{when:{key}}", (f"{when:{form}}", {}))
        sums[group] = sums.get(group, 0) + tokens
    return [found[name] for name in sorted(found)]
