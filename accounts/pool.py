"""The pool in memory: what every account is up to, who serves next, what an outcome changes.

Decisions are pure functions of this state and `now`; whatever changes is handed to a journal (the store) that writes it
behind the answer. Nothing here waits for a disk.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing
from accounts.outcomes import Kind, Outcome, Rest
from accounts.rests import replaces, resting
from accounts.selection import Ask, Exhausted, Seat, choose

MOST_THREADS: Final = 10_000
THREAD_SECONDS: Final = 86_400.0
REWRITE_SECONDS: Final = 60.0
"""How stale a thread's stored time of use may get: a busy thread is not a disk write per turn."""
REFRESH_AHEAD: Final = 300.0
"""An access token this close to its end (seconds) is renewed before use, as the official client does."""


class Write(Protocol):
    """A change on its way to the disk."""

    def done(self) -> bool: ...


class Journal(Protocol):
    """Where changes go. Calls return at once; failures are the journal's to report."""

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Write: ...
    def clear_cooldown(self, key: str) -> Write: ...
    def set_standing(self, key: str, standing: Standing) -> Write: ...
    def save_affinity(self, affinity: Affinity) -> object: ...
    def record(self, event: Event) -> object: ...


class Source(Protocol):
    """Where the pool comes from: what the store knows, as values."""

    def accounts(self) -> tuple[Account, ...]: ...
    def all_credentials(self) -> dict[str, Credentials]: ...
    def cooldowns(self) -> dict[str, Cooldown]: ...
    def affinities(self, limit: int) -> tuple[Affinity, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One account, for one attempt. `at` is when it was given (seconds since the epoch)."""

    account: Account
    credentials: Credentials = field(repr=False)
    thread: str
    at: float

    @property
    def key(self) -> str:
        return self.account.key

    def wants_refresh(self, now: float) -> bool:
        expires = self.credentials.expires_at
        return expires is not None and expires - now < REFRESH_AHEAD

    def expired(self, now: float) -> bool:
        expires = self.credentials.expires_at
        return expires is not None and expires <= now


class Pool:
    """All accounts and what they are up to. Belongs to one thread: the proxy's event loop, or a command."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seats: dict[str, Seat] = {}
        self._credentials: dict[str, Credentials] = {}
        self._threads: OrderedDict[str, Affinity] = OrderedDict()
        self._in_flight: Counter[str] = Counter()
        self._writes: dict[str, list[Write]] = {}
        self._distrusted: dict[str, str] = {}

    def load(self, source: Source) -> None:
        """Take over what the store knows. What is in flight or being written, and newer threads, are kept."""
        # Asked before reading: what is on its way to the disk now may or may not be in what is read.
        unsettled = {key for key, writes in self._writes.items() if not all(write.done() for write in writes)}
        self._writes = {key: self._writes[key] for key in unsettled}
        cooldowns = source.cooldowns()
        self._credentials = {
            key: replace(tokens, expires_at=0.0) if self._distrusted.get(key) == tokens.access else tokens
            for key, tokens in source.all_credentials().items()
        }
        seats = {}
        for account in source.accounts():
            key, known = account.key, self._seats.get(account.key)
            seat = Seat(account=account, cooldown=cooldowns.get(key), has_tokens=key in self._credentials)
            if known is not None and key in unsettled:
                kept = replace(account, standing=known.account.standing)
                seat = replace(seat, account=kept, cooldown=known.cooldown)
            seats[key] = seat
        self._seats = seats
        for affinity in reversed(source.affinities(MOST_THREADS)):
            used = self._threads.get(affinity.thread)
            if used is None or used.used_at < affinity.used_at:
                self._remember(affinity)

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def seats(self) -> Mapping[str, Seat]:
        return self._seats

    @property
    def tokens(self) -> Mapping[str, Credentials]:
        """The credentials of every account, by key."""
        return self._credentials

    def lease_of(self, key: str, now: float) -> Lease | None:
        """A lease of one account outside any request, for its upkeep; None when it is gone or has no tokens."""
        seat, tokens = self._seats.get(key), self._credentials.get(key)
        return Lease(account=seat.account, credentials=tokens, thread="", at=now) if seat and tokens else None

    def account(self, key: str) -> Account | None:
        seat = self._seats.get(key)
        return seat.account if seat else None

    def usable(self, key: str, now: float) -> bool:
        """Whether the account may serve at all at `now`: known, not paused, in good standing, not at a limit."""
        seat = self._seats.get(key)
        return (
            seat is not None
            and seat.account.enabled
            and seat.account.standing is Standing.GOOD
            and resting(seat.cooldown, now) is not Rest.HARD
        )

    def home(self, thread: str, now: float) -> str | None:
        """The account a thread belongs to, None for a new or long-forgotten one."""
        known = self._threads.get(thread) if thread else None
        return known.key if known and now - known.used_at < THREAD_SECONDS else None

    def select(self, ask: Ask, now: float) -> Lease | Exhausted:
        """The account that serves this request, or why none can. Changes nothing but the count of what is in flight."""
        chosen = choose(self._with_load(), self.home(ask.thread, now), ask, now)
        if isinstance(chosen, Exhausted):
            return chosen
        return Lease(account=chosen, credentials=self._credentials[chosen.key], thread=ask.thread, at=now)

    def enter(self, key: str) -> None:
        """A turn begins on this account."""
        self._in_flight[key] += 1

    def leave(self, key: str) -> None:
        """A turn on this account is over."""
        self._in_flight[key] -= 1
        if self._in_flight[key] <= 0:
            del self._in_flight[key]

    def in_flight(self, key: str) -> int:
        return self._in_flight[key]

    def renewed(self, key: str, credentials: Credentials) -> None:
        """Newer tokens of an account, already committed to the store."""
        if key in self._seats:
            self._credentials[key] = credentials
            self._distrusted.pop(key, None)

    def distrust(self, key: str) -> None:
        """The account's token was refused: whoever takes it next has it renewed first."""
        credentials = self._credentials.get(key)
        if credentials is not None:
            self._credentials[key] = replace(credentials, expires_at=0.0)
            self._distrusted[key] = credentials.access

    def report(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """Draw the consequences of an attempt: rest, standing, where the thread lives, one line of history."""
        seat = self._seats.get(lease.key)
        if seat is None:  # removed meanwhile
            return
        rule = outcome.rule
        if rule.standing is not None:
            self._set_standing(seat, rule.standing)
        if rule.rest is not Rest.NONE:
            self._rest(seat, outcome, now)
        if outcome.kind is Kind.OK:
            self._proven(seat, lease, now)
        elif outcome.kind is not Kind.CLIENT_GONE:
            self._journal.record(
                Event(at=now, kind=outcome.kind, key=lease.key, thread=lease.thread, detail=outcome.detail)
            )

    def _with_load(self) -> Mapping[str, Seat]:
        if not self._in_flight:
            return self._seats
        return {
            key: replace(seat, in_flight=self._in_flight[key]) if key in self._in_flight else seat
            for key, seat in self._seats.items()
        }

    def _queued(self, key: str, write: Write) -> None:
        """Remember what the disk may not know yet: loading must not undo it."""
        self._writes[key] = [one for one in self._writes.get(key, ()) if not one.done()] + [write]

    def _set_standing(self, seat: Seat, standing: Standing) -> None:
        key = seat.account.key
        self._seats[key] = replace(seat, account=replace(seat.account, standing=standing))
        self._queued(key, self._journal.set_standing(key, standing))

    def _rest(self, seat: Seat, outcome: Outcome, now: float) -> None:
        key = seat.account.key
        until = outcome.until if outcome.until is not None else now + outcome.rule.seconds
        cooldown = Cooldown(until=until, reason=outcome.kind, since=now)
        if replaces(cooldown, self._seats[key].cooldown, now):
            self._seats[key] = replace(self._seats[key], cooldown=cooldown)
            self._queued(key, self._journal.set_cooldown(key, cooldown))

    def _proven(self, seat: Seat, lease: Lease, now: float) -> None:
        """A success is news only if it was asked for after the rest began: an older stream may end later."""
        if seat.cooldown is not None and lease.at >= seat.cooldown.since:
            self._seats[lease.key] = replace(seat, cooldown=None)
            self._queued(lease.key, self._journal.clear_cooldown(lease.key))
        if lease.thread:
            self._settle(lease, now)

    def _settle(self, lease: Lease, now: float) -> None:
        """The thread lives where it was served, unless its home is only taking a short rest."""
        home = self.home(lease.thread, now)
        if home is not None and home != lease.key and self.usable(home, now):
            return
        known = self._threads.get(lease.thread)
        affinity = Affinity(thread=lease.thread, key=lease.key, used_at=now)
        self._remember(affinity)
        if known is None or known.key != lease.key or now - known.used_at > REWRITE_SECONDS:
            self._journal.save_affinity(affinity)
        else:  # the stored time stays the one it will be compared with
            self._threads[lease.thread] = replace(affinity, used_at=known.used_at)

    def _remember(self, affinity: Affinity) -> None:
        self._threads[affinity.thread] = affinity
        self._threads.move_to_end(affinity.thread)
        while len(self._threads) > MOST_THREADS:
            self._threads.popitem(last=False)
