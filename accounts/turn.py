"""One request of the client, from account to account: how often, whom next, when to stop. Pure."""

from dataclasses import dataclass, field
from typing import Final

from accounts.outcomes import Action, Kind, Outcome
from accounts.pool import Lease, Pool
from accounts.selection import Ask, Exhausted

MOST_ATTEMPTS: Final = 4
"""Upstream attempts for one request. Passing over an account that cannot serve costs none."""
FIRST_BYTE_SECONDS: Final = 60.0
"""No further attempt begins when the client has waited this long."""
MOST_INVALIDATED: Final = 2
"""Two accounts signed out in one request is no coincidence: walking on would sign out the rest of the pool."""


@dataclass(slots=True)
class Turn:
    """The attempts of one request. Every lease taken is given back by exactly one `report`."""

    pool: Pool
    thread: str
    began: float
    steady: bool = False
    attempts: int = 0
    tried: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)
    _refreshed: set[str] = field(default_factory=set)

    def take(self, now: float, *, again: Lease | None = None) -> Lease | Exhausted:
        """The account for the next attempt: the same one `again` with the tokens it has now, or the pool's choice."""
        tried = frozenset(self.tried - {again.key} if again else self.tried)
        if again is not None:
            tried |= {key for key in self.pool.seats if key != again.key}
        chosen = self.pool.select(Ask(thread=self.thread, steady=self.steady, tried=tried), now)
        if again is not None and isinstance(chosen, Exhausted):  # paused or removed meanwhile
            return self.take(now)
        if isinstance(chosen, Lease):
            self.attempts += 1
            self.tried.add(chosen.key)
            self.pool.enter(chosen.key)
        return chosen

    def peek(self, now: float) -> Lease | Exhausted:
        """Who could still serve this request, without taking them."""
        return self.pool.select(Ask(thread=self.thread, tried=frozenset(self.tried)), now)

    def report(self, lease: Lease, outcome: Outcome, now: float) -> Action:
        """Give the lease back with what came of it; says what to do with the client's request."""
        self.pool.leave(lease.key)
        self.outcomes.append(outcome)
        action = outcome.rule.action
        if action is Action.REFRESH and lease.key not in self._refreshed and not self._spent(now):
            self._refreshed.add(lease.key)
            return action  # no penalty yet: the token may only have aged
        self.pool.report(lease, outcome, now)
        if action is Action.DELIVER or self._spent(now):
            return Action.DELIVER
        return Action.RETRY_OTHER

    def refresh_failed(self, lease: Lease, outcome: Outcome, now: float) -> Action:
        """The verdict was to refresh, and there is no newer token. The lease has been given back already."""
        self.outcomes.append(outcome)
        self.pool.report(lease, outcome, now)
        return Action.DELIVER if self._spent(now) else Action.RETRY_OTHER

    def refresh_first(self, lease: Lease, now: float) -> bool:
        """Whether this lease's token should be renewed before it is used; once per account and request."""
        if lease.key in self._refreshed or not lease.wants_refresh(now):
            return False
        self._refreshed.add(lease.key)
        return True

    @property
    def alarmed(self) -> bool:
        """Whether so many accounts were signed out in this request that it must end here."""
        return sum(outcome.kind is Kind.TOKEN_INVALIDATED for outcome in self.outcomes) >= MOST_INVALIDATED

    def _spent(self, now: float) -> bool:
        return self.attempts >= MOST_ATTEMPTS or now - self.began > FIRST_BYTE_SECONDS or self.alarmed
