"""One request of the client, from account to account: how often, whom next, when to stop. Pure."""

import json
from dataclasses import dataclass, field, replace
from typing import Final

from accounts.choice.decision_record import DECISION, Attempt
from accounts.choice.outcomes import Action, Blame, Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import Ask, Exhausted
from accounts.model import Event

MOST_ATTEMPTS: Final = 4
"""Upstream attempts for one request. Passing over an account that cannot serve costs none."""
FIRST_BYTE_SECONDS: Final = 60.0
"""No further attempt begins when the client has waited this long."""
PACE_SECONDS: Final = 5.0
"""So long a request waits in all for accounts that are asked too often; a longer wait means another account."""
USUAL_PACE: Final = 1.0
"""When upstream does not say how long."""
MOST_INVALIDATED: Final = 2
"""Two accounts signed out in one request is no coincidence: walking on would sign out the rest of the pool."""


@dataclass(slots=True)
class Turn:
    """The attempts of one request. Every lease taken is given back by exactly one `report`."""

    pool: Pool
    ask: Ask
    began: float
    attempts: int = 0
    waited: float = 0.0
    pause: float = 0.0
    """How long to wait before the same account is asked again, after RETRY_SAME."""
    outcomes: list[Outcome] = field(default_factory=list)
    trail: list[Attempt] = field(default_factory=list)
    _tried: frozenset[str] = frozenset()
    _refreshed: frozenset[str] = frozenset()
    _unsealed: frozenset[str] = frozenset()
    _invalidated: int = 0
    _last: str = ""

    def take(self, now: float, *, again: Lease | None = None) -> Lease | Exhausted:
        """The account for the next attempt: the same one `again` with the tokens it has now, or the pool's choice."""
        tried = self._tried - {again.key} if again else self._tried
        if again is not None:
            tried |= {key for key in self.pool.seats if key != again.key}
        chosen = self.pool.select(replace(self.ask, tried=tried) if tried else self.ask, now)
        if again is not None and isinstance(chosen, Exhausted):  # paused or removed meanwhile
            return self.take(now)
        if isinstance(chosen, Lease):
            if again is not None:
                chosen = replace(chosen, why="once more")
            self.attempts += 1
            self._tried |= {chosen.key}
            self.pool.enter(chosen, now)
        return chosen

    def stays(self, lease: Lease, now: float) -> bool:
        """Whether a request on an account that was chosen before, a socket's, is best served there.

        With nobody else left it is: what upstream says is truer than what we know. But for the pool's own rules.
        """
        chosen = self.pool.select(self.ask, now)
        if isinstance(chosen, Exhausted):
            return not chosen.rule
        if chosen.key == lease.key:
            return True
        if not self.pool.can_serve(lease.key, self.ask, now):
            return False
        return not self.ask.thread or self.pool.tired(lease.key, now)  # a short rest is not worth a new connection

    def go_on(self, lease: Lease, now: float) -> None:
        """The first attempt is on this account, which was chosen before."""
        self.attempts += 1
        self._tried |= {lease.key}
        self.pool.enter(lease, now)

    def peek(self, now: float) -> Lease | Exhausted:
        """Who could still serve this request, without taking them."""
        return self.pool.select(replace(self.ask, tried=self._tried), now)

    def report(self, lease: Lease, outcome: Outcome, now: float) -> Action:
        """Give the lease back with what came of it; says what to do with the client's request."""
        self.pool.leave(lease.key)
        self._note(lease, outcome, now)
        spent = self._spent(now)
        match outcome.rule.action:
            case Action.REFRESH if lease.key not in self._refreshed and not spent:
                self._refreshed |= {lease.key}
                return Action.REFRESH  # no penalty yet: the token may only have aged
            case Action.RETRY_SAME if not spent and self._may_pace(lease, outcome, now):
                return Action.RETRY_SAME  # no penalty either: it only asked for patience
            case Action.UNSEAL if lease.key not in self._unsealed:
                self._unsealed |= {lease.key}
                self.attempts -= 1  # the account is as good as before
                self.pool.report(lease, outcome, now)
                return Action.UNSEAL
        self.pool.report(lease, outcome, now)
        return self._next(outcome, now)

    def refresh_failed(self, lease: Lease, outcome: Outcome, now: float) -> Action:
        """The verdict was to refresh, and there is no newer token. The lease has been given back already."""
        self._note(lease, outcome, now)
        self.pool.report(lease, outcome, now)
        return self._next(outcome, now)

    def refresh_first(self, lease: Lease, now: float) -> bool:
        """Whether this lease's token should be renewed before it is used; once per account and request."""
        if lease.key in self._refreshed or not lease.wants_refresh(now):
            return False
        self._refreshed |= {lease.key}
        return True

    @property
    def alarmed(self) -> bool:
        """Whether so many accounts were signed out in this request that it must end here."""
        return self._invalidated >= MOST_INVALIDATED

    def record(self, done: str, now: float) -> Event:
        """The decision record: why each account, what upstream said, how long it took, and how it ended."""
        told = {
            "done": done,
            "model": self.ask.model,
            "seconds": round(now - self.began, 3),
            "attempts": [each._asdict() for each in self.trail],
        }
        key = self._last if self._last in self.pool.seats else ""
        return Event(at=now, kind=DECISION, key=key, thread=self.ask.thread, detail=json.dumps(told))

    def _note(self, lease: Lease, outcome: Outcome, now: float) -> None:
        self.outcomes.append(outcome)
        self._last = lease.key
        self._invalidated += outcome.kind is Kind.TOKEN_INVALIDATED
        seconds = round(now - lease.at, 3)
        self.trail.append(
            Attempt(
                account=lease.account.label, why=lease.why, kind=outcome.kind, detail=outcome.detail, seconds=seconds
            )
        )

    def _may_pace(self, lease: Lease, outcome: Outcome, now: float) -> bool:
        """Whether a short wait is worth it: once in a while per account, and not for long."""
        self.pause = USUAL_PACE if outcome.until is None else max(outcome.until - now, 0.1)
        too_long = self.waited + self.pause > PACE_SECONDS or now + self.pause - self.began > FIRST_BYTE_SECONDS
        if too_long or not self.pool.pace(lease, now):
            return False
        self.waited += self.pause
        return True

    def _next(self, outcome: Outcome, now: float) -> Action:
        if outcome.rule.action in {Action.DELIVER, Action.UNSEAL} or self._spent(now):
            return Action.DELIVER
        if outcome.rule.blame is Blame.UPSTREAM and self.pool.storm.on(now):
            return Action.DELIVER  # asking more accounts would only add to it
        if outcome.kind is Kind.TOKEN_INVALIDATED and self.pool.alarm.on(now):
            self._invalidated = MOST_INVALIDATED
            return Action.DELIVER
        return Action.RETRY_OTHER

    def _spent(self, now: float) -> bool:
        return self.attempts >= MOST_ATTEMPTS or now - self.began > FIRST_BYTE_SECONDS or self.alarmed
