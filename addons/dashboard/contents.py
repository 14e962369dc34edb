"""What each view shows, to whom: reads it, each thing where it may take its time, and has it drawn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from accounts.errors import StoreError
from accounts.forecast import Forecast
from accounts.store.store import Store
from accounts.views.account_list import AccountRow, rows, states_in, stored_rows
from accounts.views.homes import homes
from accounts.views.live_turns import LiveTurn
from accounts.views.outlook import outlook_verdict, stored_forecast
from addons.dashboard import past
from addons.dashboard.reading import PageReader
from addons.dashboard.views.accounts import AccountsSeen, account_view, accounts_view
from addons.dashboard.views.findings import ShownFinding, findings_view
from addons.dashboard.views.html import Html, tag
from addons.dashboard.views.turns import TurnsSeen, turns_view
from addons.dashboard.views.words import sentence
from addons.exchange.service import PoolService
from config import clock

OUTLOOK_SECONDS: Final = 30.0
FINDINGS_SECONDS: Final = 60.0
"""So long a forecast, and what was found on this machine, is shown before it is made anew."""
EVENTS_OF_AN_ACCOUNT: Final = 40

type Look = Callable[[], Sequence[ShownFinding]]


class Subject(NamedTuple):
    """A view, as somebody asks for it: `person` is "" for the owner, `query` what it is asked for."""

    view: str
    person: str
    query: tuple[tuple[str, str], ...]


class Drawn(NamedTuple):
    """A view as it was drawn, and of what state of things."""

    stamp: object
    html: Html


class Contents:
    """Of one proxy. Belongs to its event loop."""

    def __init__(
        self, service: PoolService, reader: PageReader, live: Callable[[], Sequence[LiveTurn]], look: Look | None
    ) -> None:
        self.service = service
        self.reader = reader
        self.live = live
        self._look = look
        self._outlook: tuple[float, Forecast | None] = (0.0, None)
        self._found: tuple[float, Sequence[ShownFinding]] | None = None
        self._drawn: dict[Subject, Drawn] = {}

    def forget(self) -> None:
        """Something was changed: nothing that was drawn holds any more."""
        self._drawn.clear()
        self._outlook = (0.0, None)

    async def shown(self, subject: Subject) -> Html:
        """The view; where the pool's file cannot be read, what memory has, and that it is so."""
        try:
            return await self.part(subject)
        except StoreError as e:
            if subject.view == "accounts":
                return await self.accounts_from_memory(dict(subject.query), trouble_of(e))
            return trouble(e)

    async def part(self, subject: Subject) -> Html:
        """The view as it is now. What the pool's file does not tell is from memory, where there is some; else raises
        StoreError."""
        now, query = clock.now(), dict(subject.query)
        match subject.view:
            case "turns":
                return turns_view(self._turns(subject.person, now))
            case "findings":
                return await self._findings(now)
            case "usage":
                return await self.reader.aside(lambda: past.usage(self.service.settings, query, subject.person, now))
        stamp = (await self.reader.pool(self.reader.generation), *self._moment(subject.view, now))
        drawn = self._drawn.get(subject)
        if drawn is None or drawn.stamp != stamp:
            if len(self._drawn) > 50:
                self._drawn.clear()
            drawn = self._drawn[subject] = Drawn(stamp, await self._draw(subject, query, now))
        return drawn.html

    async def account(self, handle: str, csrf: str) -> Html | None:
        """One account by its handle; None for one that is not there. Raises StoreError."""
        now, flying = clock.now(), self._in_flight()

        def read(store: Store) -> Html | None:
            row = next((each for each in stored_rows(store, now) if each.account.handle == handle), None)
            if row is None:
                return None
            known = [each for each in store.events(2_000) if each.key == row.account.key and each.kind != "decision"]
            seen = AccountsSeen(rows=[row], now=now, in_flight=flying, homes=homes(store, now))
            return account_view(row, seen, known[:EVENTS_OF_AN_ACCOUNT], csrf)

        return await self.reader.pool(read)

    async def accounts_from_memory(self, query: Mapping[str, str], trouble: str) -> Html:
        """What this proxy knows of the accounts while the pool's file cannot be read."""
        now, pool = clock.now(), self.service.pool
        known = rows(pool.candidates.values(), states_in(pool, now), now, chosen=pool.policy.pin)
        seen = AccountsSeen(rows=known, now=now, in_flight=self._in_flight(), trouble=trouble)
        return await self.reader.aside(lambda: accounts_view(seen, query))

    # How it is drawn

    def _moment(self, view: str, now: float) -> tuple[object, ...]:
        """What a view depends on beside the pool's file."""
        if view == "accounts":
            return int(now // 15), tuple(sorted(self._in_flight().items()))
        return (int(now // 60),)

    async def _draw(self, subject: Subject, query: Mapping[str, str], now: float) -> Html:
        settings = self.service.settings
        match subject.view:
            case "timeline":
                return await self.reader.pool(lambda store: past.timeline(store, query, now))
            case "decisions":
                return await self.reader.pool(lambda store: past.decisions(store, settings, query, subject.person, now))
        flying = self._in_flight()
        made, known = self._outlook
        renew = now - made > OUTLOOK_SECONDS

        def read(store: Store) -> tuple[Html, Forecast | None]:
            found: Sequence[AccountRow] = stored_rows(store, now)
            outlook = stored_forecast(store, settings, now) if found and renew else known
            seen = AccountsSeen(
                rows=found,
                now=now,
                in_flight=flying,
                homes=homes(store, now),
                outlook=outlook,
                verdict=outlook_verdict(outlook, now) if outlook is not None else "",
            )
            return accounts_view(seen, query), outlook

        html, outlook = await self.reader.pool(read)
        if renew:
            self._outlook = (now, outlook)
        return html

    def _in_flight(self) -> dict[str, int]:
        pool = self.service.pool
        return {key: count for key in pool.candidates if (count := pool.in_flight(key))}

    def _turns(self, person: str, now: float) -> TurnsSeen:
        known = [each for each in self.live() if not person or each.person == person]
        accounts = (candidate.account for candidate in self.service.pool.candidates.values())
        return TurnsSeen(
            turns=known, now=now, person=person, handles={each.label: each.handle for each in accounts} if known else {}
        )

    async def _findings(self, now: float) -> Html:
        if self._look is None:
            return findings_view(None, now, now)
        if self._found is None or not 0 <= now - self._found[0] < FINDINGS_SECONDS:
            self._found = (now, await self.reader.aside(self._look))
        return findings_view(self._found[1], self._found[0], now)


def trouble(error: StoreError) -> Html:
    return tag("p", sentence(trouble_of(error)), class_="trouble", role="alert")


def trouble_of(error: StoreError) -> str:
    """What to say of a pool's file that cannot be read now."""
    return f"{error} Turns go on with what this proxy has in memory."
