"""The pool in memory: what every account is up to, who serves next, what an outcome changes.

Decisions are pure functions of this state and `now`; whatever changes is handed to a journal (the store) that writes it
behind the answer. Nothing here waits for a disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from accounts.choice.candidate_table import CandidateTable
from accounts.choice.circuit_breaker import CircuitBreaker
from accounts.choice.cooldowns import replaces, resting
from accounts.choice.explanation import Explanation, explain
from accounts.choice.load import Load
from accounts.choice.model_support import ModelSupport
from accounts.choice.outcomes import Blame, Kind, Outcome, Rest
from accounts.choice.ports import Journal, Source
from accounts.choice.quota import Window
from accounts.choice.recent_failures import RecentFailures
from accounts.choice.selection import Ask, Candidate, Exhausted, Policy, Situation, barred, choose, exhausted
from accounts.choice.threads import MOST_THREADS, Placement, Threads
from accounts.choice.token_cache import TokenCache
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.provider.standings import reason_of
from accounts.tokens.lifetime import is_over, wants_renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One account, for one attempt. `at` is when it was given (seconds since the epoch), `why` what decided for it,
    `pin` the account that the request was for ("": any), `guest` whether somebody else than the owner asked, `client`
    the name of the key that was shown ("": none)."""

    account: Account
    credentials: Credentials = field(repr=False)
    thread: str
    at: float
    model: str = ""
    pin: str = ""
    guest: bool = False
    client: str = ""
    why: str = ""

    @property
    def key(self) -> str:
        return self.account.key

    def wants_refresh(self, now: float) -> bool:
        """Whether its token is to be renewed before it is used."""
        return wants_renewal(self.credentials, now)

    def expired(self, now: float) -> bool:
        return is_over(self.credentials.expires_at, now)


class Pool:
    """All accounts and what they are up to. Belongs to one thread: the proxy's event loop, or a command."""

    def __init__(self, journal: Journal, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.storm = CircuitBreaker(most=3, within=10.0, hold=10.0)
        """Accounts that fail one after another by upstream's own fault."""
        self.alarm = CircuitBreaker(most=2, within=60.0, hold=60.0)
        """Accounts that are signed out one after another: going on at this pace has cost whole pools their logins."""
        self.failures = RecentFailures()
        self._journal = journal
        self._table, self._tokens = CandidateTable(), TokenCache()
        self._threads = Threads()
        self._load = Load()
        self.models = ModelSupport()

    def load(self, source: Source) -> None:
        """Take over what the store knows. What is in flight or being written, and newer threads, are kept."""
        unsettled = self._table.unsettled()
        self._tokens.load(source.all_credentials())
        self.models.load(source.refused_models())
        self._table.load(source, unsettled, self._tokens.known)
        self._threads.load(reversed(source.affinities(MOST_THREADS)))

    def clock_was_set(self, now: float) -> None:
        """What is remembered here is as it can be at `now`; what was to be over in a moment is over."""
        self.storm.release()
        self.alarm.release()
        self.failures, self._load = RecentFailures(), self._load.without_times()
        self._tokens.sensible(now)
        self._table.sensible(now)
        self._threads.sensible(now)
        self.models.sensible(now)

    @property
    def candidates(self) -> Mapping[str, Candidate]:
        return self._table.candidates

    @property
    def tokens(self) -> Mapping[str, Credentials]:
        """The credentials of every account, by key."""
        return self._tokens.known

    def lease_of(self, key: str, now: float) -> Lease | None:
        """A lease of one account outside any request, for its upkeep; None when it is gone or has no tokens."""
        candidate, tokens = self.candidates.get(key), self.tokens.get(key)
        return Lease(account=candidate.account, credentials=tokens, thread="", at=now) if candidate and tokens else None

    # --- asking --------------------------------------------------------------------------------------------------

    def place(self, thread: str, now: float) -> Placement:
        """Where a thread lives and where it is now."""
        return self._threads.place(thread, now)

    def select(self, ask: Ask, now: float) -> Lease | Exhausted:
        """The account that serves this request, or why none can. Changes nothing."""
        about, touched = self._situation(ask, now), self._touched(ask, now)
        few, known = self._table.front(about, touched)
        chosen = choose({key: touched.get(key) or self.candidates[key] for key in few}, about, known)
        if isinstance(chosen, Exhausted):  # why, of everybody
            return chosen if len(few) == len(self.candidates) else exhausted({**self.candidates, **touched}, about)
        return Lease(
            account=chosen.account,
            credentials=self.tokens[chosen.account.key],
            thread=ask.thread,
            at=now,
            model=ask.model,
            pin=ask.pin,
            guest=ask.guest,
            client=ask.client,
            why=chosen.why,
        )

    def explain(self, ask: Ask, now: float) -> Explanation:
        """The same choice, with every account's state, reasons and score."""
        return explain({**self.candidates, **self._touched(ask, now)}, self._situation(ask, now), self.tokens)

    def can_serve(self, key: str, ask: Ask, now: float) -> bool:
        """Whether this account may serve this request at all."""
        candidate = self._touched(ask, now).get(key) or self.candidates.get(key)
        return candidate is not None and barred(candidate, self._situation(ask, now)) is None

    def tired(self, key: str, now: float) -> bool:
        """Whether the account takes a short rest, which does not keep it from serving."""
        return key in self.candidates and resting(self.candidates[key].cooldown, now) is Rest.SOFT

    def in_flight(self, key: str) -> int:
        return self._load.in_flight(key)

    # --- turns ---------------------------------------------------------------------------------------------------

    def enter(self, lease: Lease, now: float) -> None:
        """A turn begins on this account."""
        self._load.begin(lease.key)
        place = self._threads.place(lease.thread, now)
        if lease.key in {place.home, place.detour}:
            return
        if place.home:
            self._load.follow(lease.key, lease.thread, now)
        if lease.key in self.candidates:
            self._table.put(lease.key, replace(self.candidates[lease.key], turn=self._load.next_turn()))

    def leave(self, key: str) -> None:
        """It is over."""
        self._load.end(key)

    def report(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """Draw the consequences of an attempt: rest, standing, where the thread lives, one line of history."""
        candidate = self.candidates.get(lease.key)
        if candidate is None:  # removed meanwhile
            return
        rule = outcome.rule
        if rule.standing is not None:
            self._set_standing(candidate, rule.standing, reason_of(outcome))
        if outcome.kind is Kind.TOKEN_INVALIDATED:
            self.alarm.record(lease.key, now)
        if outcome.kind is Kind.UNSUPPORTED_MODEL and lease.model:
            until = self.models.refuse(lease.key, lease.model, now)
            self._journal.refuse_model(lease.key, lease.model, until, now)
        stormy = rule.blame is Blame.UPSTREAM and self.storm.record(lease.key, now)
        if rule.rest is not Rest.NONE and not stormy:
            self._rest(lease.key, outcome, now)
        if outcome.kind is Kind.OK:
            self.storm.release()
            self.alarm.release()
            self._proven(candidate, lease)
            for failure in self.failures.served(lease.thread, lease.key, self.candidates, now):
                self._rest(failure.key, replace(failure.outcome, kind=Kind.REFUSED_ALONE), now)
            self._settle(lease, now)
        elif outcome.kind not in {Kind.UPGRADED, Kind.CLIENT_GONE, Kind.STALE}:
            self.failures.note(lease.thread, lease.key, outcome, now, model=lease.model)
            self._journal.record(_event(lease, outcome, now))

    # --- what is learned on the way ------------------------------------------------------------------------------

    def may_pace(self, lease: Lease, now: float) -> bool:
        """The account asks for a moment; whether its thread waits for it."""
        return self._load.may_pace(lease.key, lease.thread, now)

    def pace(self, lease: Lease, now: float) -> None:
        """The thread waits for the account."""
        self._load.pace(lease.key, lease.thread, now)

    def renewed(self, key: str, credentials: Credentials) -> None:
        """Newer tokens of an account, already committed to the store."""
        if key in self.candidates:
            self._tokens.renewed(key, credentials)

    def distrust(self, key: str) -> None:
        """The account's token was refused: whoever takes it next has it renewed first."""
        self._tokens.distrust(key)

    def observed(self, key: str, windows: tuple[Window, ...]) -> None:
        """What upstream said of an account's quota windows."""
        if key in self.candidates and windows:
            news = self._table.observe(key, windows)
            if news is not None:
                self._journal.set_windows(key, news)

    def compacted(self, lease: Lease, now: float) -> None:
        """This account summarised the history of its thread: only it can read the summary."""
        changed = self._threads.compacted(lease.thread, lease.key, now) if lease.thread else None
        if changed is not None:
            self._journal.save_affinity(changed)

    def _situation(self, ask: Ask, now: float) -> Situation:
        place = self._threads.place_near(ask.parent, self._threads.place(ask.thread, now), now)
        if place.owner and place.owner not in self.candidates:  # nobody can read that summary any more
            place = replace(place, owner="")
        return Situation(now=now, ask=ask, place=place, policy=self.policy, failed=self.failures.of(ask.thread, now))

    def _touched(self, ask: Ask, now: float) -> dict[str, Candidate]:
        return self._table.touched(self._load, self.models, ask.model, now)

    def _set_standing(self, candidate: Candidate, standing: Standing, reason: str) -> None:
        key = candidate.account.key
        changed = replace(candidate, account=replace(candidate.account, standing=standing, standing_reason=reason))
        self._table.put(key, changed, self._journal.set_standing(key, standing, reason))

    def _rest(self, key: str, outcome: Outcome, now: float) -> None:
        until = outcome.until if outcome.until is not None else now + outcome.rule.seconds
        cooldown = Cooldown(until=until, reason=outcome.kind, since=now)
        candidate = self.candidates[key]
        if replaces(cooldown, candidate.cooldown, now):
            self._table.put(key, replace(candidate, cooldown=cooldown), self._journal.set_cooldown(key, cooldown))

    def _proven(self, candidate: Candidate, lease: Lease) -> None:
        """A success is news only if it was asked for after the rest began: an older stream may end later."""
        self._load.earned(lease.key, lease.thread)
        if candidate.cooldown is not None and lease.at >= candidate.cooldown.since:
            self._table.put(lease.key, replace(candidate, cooldown=None), self._journal.clear_cooldown(lease.key))

    def _settle(self, lease: Lease, now: float) -> None:
        """The thread was served here: this is its home, or its detour."""
        if lease.thread:
            home = self.candidates.get(self._threads.place(lease.thread, now).home)
            may_return = home is not None and home.account.standing is Standing.GOOD
            changed = self._threads.served(lease.thread, lease.key, home_may_return=may_return, now=now)
            if changed is not None:
                self._journal.save_affinity(changed)


def _event(lease: Lease, outcome: Outcome, now: float) -> Event:
    return Event(at=now, kind=outcome.kind, key=lease.key, thread=lease.thread, detail=outcome.detail)


def key_named(candidates: Mapping[str, Candidate], name: str) -> str:
    """The key of the account that a label, e-mail, account id, key or handle means; for none or several the name
    itself."""
    wanted = name.strip().casefold()

    def names(candidate: Candidate) -> set[str]:
        account = candidate.account
        known = (account.label, account.email, account.account_id, account.key, account.handle)
        return {each.casefold() for each in known}

    found = [key for key, candidate in candidates.items() if wanted in names(candidate)]
    return found[0] if len(found) == 1 else name
