"""The pool in memory: what every account is up to, who serves next, what an outcome changes.

Decisions are pure functions of this state and `now`; whatever changes is handed to a journal (the store) that writes it
behind the answer. Nothing here waits for a disk.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from accounts.choice import quota
from accounts.choice.circuit_breaker import Brake
from accounts.choice.cooldowns import replaces, resting
from accounts.choice.explanation import Explanation, explain
from accounts.choice.foreign_reasoning import Reader
from accounts.choice.ordering import Ordering
from accounts.choice.outcomes import Blame, Kind, Outcome, Rest
from accounts.choice.ports import Journal, Source, Write
from accounts.choice.quota import Window
from accounts.choice.selection import RAMP_SECONDS, Ask, Exhausted, Policy, Seat, Situation, barred, choose, exhausted
from accounts.choice.threads import MOST_THREADS, Place, Threads
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.tokens.lifetime import FOR_REQUEST

REFRESH_AHEAD: Final = FOR_REQUEST
"""An access token this close to its end (seconds) is renewed before use, as the official client does."""
MODEL_SECONDS: Final = 86_400.0
"""For so long an account that was refused a model is not asked for it again: plans change."""


PATIENCE_SECONDS: Final = 30.0
"""After a thread has waited for an account that was asked too often, it does not do so again for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One account, for one attempt. `at` is when it was given (seconds since the epoch), `why` what decided for it,
    `pin` the account that the request was for ("": any)."""

    account: Account
    credentials: Credentials = field(repr=False)
    thread: str
    at: float
    model: str = ""
    pin: str = ""
    why: str = ""

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

    def __init__(self, journal: Journal, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.storm = Brake(most=3, within=10.0, hold=10.0)
        """Accounts that fail one after another by upstream's own fault."""
        self.alarm = Brake(most=2, within=60.0, hold=60.0)
        """Accounts that are signed out one after another: going on at this pace has cost whole pools their logins."""
        self._journal = journal
        self._seats: dict[str, Seat] = {}
        self._ordering = Ordering()
        self._credentials: dict[str, Credentials] = {}
        self._threads = Threads()
        self._in_flight: Counter[str] = Counter()
        self._writes: dict[str, list[Write]] = {}
        self._distrusted: dict[str, str] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self._stored_windows: dict[str, tuple[Window, ...]] = {}
        self._followed: deque[tuple[float, str, str]] = deque()
        self._lists: dict[str, tuple[frozenset[str], float]] = {}
        self._turns = count(1)
        self._paced: dict[tuple[str, str], float] = {}

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
        self._stored_windows = source.windows()
        for refusal, until in source.refused_models().items():
            self._refused[refusal] = max(until, self._refused.get(refusal, 0.0))
        seats = {}
        for account in source.accounts():
            key, known = account.key, self._seats.get(account.key)
            seat = known or Seat(account=account)
            windows = quota.merged(self._stored_windows.get(key, ()), seat.windows)
            rest = cooldowns.get(key)
            if known is not None and key in unsettled:
                account = replace(account, standing=known.account.standing)  # noqa: PLW2901 - truer than the disk's
                rest = known.cooldown
            has_tokens = key in self._credentials
            seats[key] = replace(seat, account=account, cooldown=rest, has_tokens=has_tokens, windows=windows)
        self._seats = seats
        self._ordering.forget()
        self._threads.load(reversed(source.affinities(MOST_THREADS)))

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def seats(self) -> Mapping[str, Seat]:
        return self._seats

    @property
    def tokens(self) -> Mapping[str, Credentials]:
        """The credentials of every account, by key."""
        return self._credentials

    def named(self, name: str) -> str:
        """The key of the account that a name means (key_named)."""
        return key_named(self._seats, name)

    def lease_of(self, key: str, now: float) -> Lease | None:
        """A lease of one account outside any request, for its upkeep; None when it is gone or has no tokens."""
        seat, tokens = self._seats.get(key), self._credentials.get(key)
        return Lease(account=seat.account, credentials=tokens, thread="", at=now) if seat and tokens else None

    # --- asking --------------------------------------------------------------------------------------------------

    def place(self, thread: str, now: float) -> Place:
        """Where a thread lives and where it is now."""
        return self._threads.place(thread, now)

    def select(self, ask: Ask, now: float) -> Lease | Exhausted:
        """The account that serves this request, or why none can. Changes nothing."""
        about, touched = self._situation(ask, now), self._touched(now)
        few, known = self._ordering.front(self._seats, about, touched)
        chosen = choose({key: touched.get(key) or self._seats[key] for key in few}, about, known)
        if isinstance(chosen, Exhausted):  # why, of everybody
            return chosen if len(few) == len(self._seats) else exhausted({**self._seats, **touched}, about)
        return Lease(
            account=chosen.account,
            credentials=self._credentials[chosen.account.key],
            thread=ask.thread,
            at=now,
            model=ask.model,
            pin=ask.pin,
            why=chosen.why,
        )

    def explain(self, ask: Ask, now: float) -> Explanation:
        """The same choice, with every account's state, reasons and score."""
        return explain({**self._seats, **self._touched(now)}, self._situation(ask, now), self._credentials)

    def can_serve(self, key: str, ask: Ask, now: float) -> bool:
        """Whether this account may serve this request at all."""
        seat = self._touched(now).get(key) or self._seats.get(key)
        return seat is not None and barred(seat, self._situation(ask, now)) is None

    def tired(self, key: str, now: float) -> bool:
        """Whether the account takes a short rest, which does not keep it from serving."""
        seat = self._seats.get(key)
        return seat is not None and resting(seat.cooldown, now) is Rest.SOFT

    def reader(self, lease: Lease, now: float) -> Reader:
        """A thread on the workspace of this lease, and the workspace it lived in until now."""
        home = self._seats.get(self._threads.place(lease.thread, now).home)
        before = home.account.account_id if home is not None else ""
        mine = lease.account.account_id
        return Reader(thread=lease.thread, workspace=mine, before="" if before == mine else before)

    def in_flight(self, key: str) -> int:
        return self._in_flight[key]

    # --- turns ---------------------------------------------------------------------------------------------------

    def enter(self, lease: Lease, now: float) -> None:
        """A turn begins on this account."""
        self._in_flight[lease.key] += 1
        place = self._threads.place(lease.thread, now)
        if lease.key in {place.home, place.detour}:
            return
        if place.home:
            self._followed.append((now, lease.key, lease.thread))
        if lease.key in self._seats:
            self._put(lease.key, replace(self._seats[lease.key], turn=next(self._turns)))

    def leave(self, key: str) -> None:
        """A turn on this account is over."""
        self._in_flight[key] -= 1
        if self._in_flight[key] <= 0:
            del self._in_flight[key]

    def report(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """Draw the consequences of an attempt: rest, standing, where the thread lives, one line of history."""
        seat = self._seats.get(lease.key)
        if seat is None:  # removed meanwhile
            return
        rule = outcome.rule
        if rule.standing is not None:
            self._set_standing(seat, rule.standing)
        if outcome.kind is Kind.TOKEN_INVALIDATED:
            self.alarm.strike(lease.key, now)
        if outcome.kind is Kind.UNSUPPORTED_MODEL and lease.model:
            self._refuse(lease.key, lease.model, now)
        stormy = rule.blame is Blame.UPSTREAM and self.storm.strike(lease.key, now)
        if rule.rest is not Rest.NONE and not stormy:
            self._rest(seat, outcome, now)
        if outcome.kind is Kind.OK:
            self.storm.release()
            self.alarm.release()
            self._proven(seat, lease, now)
            self._settle(lease, now)
        elif outcome.kind is Kind.UPGRADED:
            self._settle(lease, now)
        elif outcome.kind is not Kind.CLIENT_GONE:
            self._journal.record(
                Event(at=now, kind=outcome.kind, key=lease.key, thread=lease.thread, detail=outcome.detail)
            )

    # --- what is learned on the way ------------------------------------------------------------------------------

    def may_pace(self, lease: Lease, now: float) -> bool:
        """The account asks for a moment; whether its thread waits for it. It does so once in PATIENCE_SECONDS."""
        at = self._paced.get((lease.thread, lease.key))
        return at is None or now - at >= PATIENCE_SECONDS

    def pace(self, lease: Lease, now: float) -> None:
        """The thread waits for the account."""
        self._paced = {mark: at for mark, at in self._paced.items() if now - at < PATIENCE_SECONDS}
        self._paced[lease.thread, lease.key] = now

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

    def windows(self, key: str) -> tuple[Window, ...]:
        """What is known of an account's quota windows."""
        seat = self._seats.get(key)
        return seat.windows if seat is not None else ()

    def observed(self, key: str, windows: tuple[Window, ...]) -> None:
        """What upstream said of an account's quota windows."""
        seat = self._seats.get(key)
        if seat is None or not windows:
            return
        merged = quota.merged(seat.windows, windows)
        self._put(key, replace(seat, windows=merged))
        if quota.worth_writing(self._stored_windows.get(key, ()), merged):
            self._stored_windows[key] = merged
            self._journal.set_windows(key, merged)

    def lists(self, key: str, models: frozenset[str], now: float) -> None:
        """The models that an account's catalogue names; an empty one says nothing. Believed for a day, in memory."""
        if models:
            self._lists[key] = (models, now + MODEL_SECONDS)

    def compacted(self, lease: Lease, now: float) -> None:
        """This account summarised the history of its thread: only it can read the summary."""
        changed = self._threads.compacted(lease.thread, lease.key, now) if lease.thread else None
        if changed is not None:
            self._journal.save_affinity(changed)

    # --- inside --------------------------------------------------------------------------------------------------

    def _situation(self, ask: Ask, now: float) -> Situation:
        place = self._threads.place(ask.thread, now)
        if place.owner and place.owner not in self._seats:  # nobody can read that summary any more; upstream says so
            place = replace(place, owner="")
        return Situation(now=now, ask=ask, place=place, policy=self.policy)

    def _touched(self, now: float) -> dict[str, Seat]:
        """The seats of which something is so at the moment only, with that."""
        if not (self._in_flight or self._followed or self._refused or self._lists):
            return {}
        while self._followed and self._followed[0][0] <= now - RAMP_SECONDS:
            self._followed.popleft()
        followed = Counter(key for key, _ in {(key, thread) for _, key, thread in self._followed})
        refused: dict[str, set[str]] = {}
        for (key, model), until in self._refused.items():
            if until > now:
                refused.setdefault(key, set()).add(model)
        listed = {key: models for key, (models, until) in self._lists.items() if until > now}
        touched = (self._in_flight.keys() | followed.keys() | refused.keys() | listed.keys()) & self._seats.keys()
        return {
            key: replace(
                self._seats[key],
                in_flight=self._in_flight[key],
                followed=followed[key],
                refuses=frozenset(refused.get(key, ())),
                lists=listed.get(key),
            )
            for key in touched
        }

    def _put(self, key: str, seat: Seat) -> None:
        self._seats[key] = seat
        self._ordering.change(key)

    def _queued(self, key: str, write: Write) -> None:
        """Remember what the disk may not know yet: loading must not undo it."""
        self._writes[key] = [one for one in self._writes.get(key, ()) if not one.done()] + [write]

    def _set_standing(self, seat: Seat, standing: Standing) -> None:
        key = seat.account.key
        self._put(key, replace(seat, account=replace(seat.account, standing=standing)))
        self._queued(key, self._journal.set_standing(key, standing))

    def _refuse(self, key: str, model: str, now: float) -> None:
        until = now + MODEL_SECONDS
        self._refused = {known: end for known, end in self._refused.items() if end > now} | {(key, model): until}
        self._journal.refuse_model(key, model, until, now)

    def _rest(self, seat: Seat, outcome: Outcome, now: float) -> None:
        key = seat.account.key
        until = outcome.until if outcome.until is not None else now + outcome.rule.seconds
        cooldown = Cooldown(until=until, reason=outcome.kind, since=now)
        if replaces(cooldown, self._seats[key].cooldown, now):
            self._put(key, replace(self._seats[key], cooldown=cooldown))
            self._queued(key, self._journal.set_cooldown(key, cooldown))

    def _proven(self, seat: Seat, lease: Lease, now: float) -> None:
        """A success is news only if it was asked for after the rest began: an older stream may end later."""
        self._paced.pop((lease.thread, lease.key), None)
        if seat.cooldown is not None and lease.at >= seat.cooldown.since:
            self._put(lease.key, replace(seat, cooldown=None))
            self._queued(lease.key, self._journal.clear_cooldown(lease.key))

    def _settle(self, lease: Lease, now: float) -> None:
        """The thread was served here: this is its home, or its detour."""
        if lease.thread:
            home = self._seats.get(self._threads.place(lease.thread, now).home)
            may_return = home is not None and home.account.standing is Standing.GOOD
            changed = self._threads.served(lease.thread, lease.key, home_may_return=may_return, now=now)
            if changed is not None:
                self._journal.save_affinity(changed)


def key_named(seats: Mapping[str, Seat], name: str) -> str:
    """The key of the account that a label, e-mail, account id, key or handle means; for none or several the name
    itself."""
    wanted = name.strip().casefold()

    def names(seat: Seat) -> set[str]:
        account = seat.account
        known = (account.label, account.email, account.account_id, account.key, account.handle)
        return {each.casefold() for each in known}

    found = [key for key, seat in seats.items() if wanted in names(seat)]
    return found[0] if len(found) == 1 else name
