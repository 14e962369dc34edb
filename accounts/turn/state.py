"""What a turn knows, and what can be asked of it. Asking changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from accounts.choice.decision_record import Decided, Done
from accounts.choice.outcomes import Action, Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import Ask, Exhausted
from accounts.people.admission import Permit
from accounts.requests.identity import first_model_in, model_in
from accounts.tokens.lifetime import is_fresh
from accounts.turn import events
from accounts.turn.log import DecisionLog

MOST_ATTEMPTS: Final = 4
"""Upstream attempts for one request. Passing over an account that cannot serve costs none."""
CLIENT_SECONDS: Final = 300.0
"""The official client waits so long for the next event of an answer (docs/codex-wire.md section 3)."""
FIRST_BYTE_SECONDS: Final = CLIENT_SECONDS + 30
"""No further attempt begins when the client has waited this long: for one answer that did not begin, and a bit."""
RENEWAL_SECONDS: Final = 3.0
"""A renewal that would take longer is avoided where the request can be asked without it."""
MOST_INVALIDATED: Final = 2
"""Two accounts signed out in one request is no coincidence: walking on quickly might sign out the rest of the pool."""


class Phase(StrEnum):
    """Where a turn stands."""

    NEW = "new"
    QUEUED = "queued"
    """Nobody is asked yet: turns of other people come first."""
    CHOOSING = "choosing"
    RENEWING_FIRST = "renewing first"
    """An account is chosen; its token is renewed before it is used."""
    ASKING = "asking"
    """An attempt is under way, and nothing of it has been delivered."""
    RENEWING = "renewing"
    """The account has refused its token."""
    PAUSED = "paused"
    STRIPPING = "stripping"
    FAILED = "failed"
    """An attempt has come to nothing, and its account has taken the consequences."""
    GIVING_UP = "giving up"
    DELIVERING = "delivering"
    """The client gets this attempt's answer."""
    REFUSED = "refused"
    """The client gets the words with which upstream has refused."""
    OVER = "over"


@dataclass(slots=True)
class Tally:
    """What was tried for this request."""

    attempts: int = 0
    waited: float = 0.0
    """Seconds that were waited for accounts that ask for patience."""
    rounds: int = 0
    """How often it was waited until any of the accounts, all of them busy, might serve."""
    waited_for_all: float = 0.0
    """Seconds of that."""
    resent: frozenset[str] = frozenset()
    """Accounts on whose stale connection the request was lost: once for each."""
    tried: frozenset[str] = frozenset()
    renewed: frozenset[str] = frozenset()
    """Accounts whose token was renewed: once for each."""
    stripped: frozenset[str] = frozenset()
    """Accounts for which something was left out of the request: once for each."""
    invalidated: int = 0
    calmed_after: int = 0
    """How many attempts had come to nothing when it was waited because several accounts were signed out; 0: it was
    not."""
    continued: int = 0
    """How often an answer that had died after output was carried on."""


@dataclass(slots=True, kw_only=True)
class TurnState:
    """One request of the client. `began` is in epoch seconds."""

    pool: Pool
    ask: Ask
    began: float
    bound: bool = False
    """It came on a WebSocket, which belongs to one account: another one means another socket upstream."""
    whole: bool = True
    """On a WebSocket: whether the request can go to another socket, because all that it continues is known."""
    upgrade: bool = False
    """It asks for a WebSocket."""
    steady: Callable[[], float] | None = None
    """Seconds of a clock that nobody sets, by which the client's wait is measured; None: the one that tells the time is
    believed."""
    since: float = field(init=False)
    """When the client began to wait, by that clock: with its request, and anew when the answer that it got has died."""
    renewal_wait: Callable[[str], float] = lambda _: 0.0
    """About how many seconds a newer token of an account takes to come, 0 where nobody can tell."""
    mid_answer: bool = True
    """Whether an account that dies in the middle of an answer is replaced, too."""
    replayable: bool = True
    """Whether the request can be sent a second time: its body was kept."""
    permit: Permit | None = None
    """Whether the person who asks may have this turn; None for what is no turn."""
    phase: Phase = Phase.NEW
    lease: Lease | None = None
    """Of the account that was asked last."""
    verdict: events.Verdict | None = None
    """What the last attempt came to."""
    log: DecisionLog = field(default_factory=DecisionLog)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.since = self.counted(self.began)

    def counted(self, now: float) -> float:
        """The same moment by the clock that only counts."""
        return now if self.steady is None else self.steady()

    @property
    def asked(self) -> Lease:
        """The lease of the account that was asked last."""
        assert self.lease is not None
        return self.lease

    @property
    def last(self) -> Outcome:
        """What the last attempt came to."""
        assert self.verdict is not None
        return self.verdict.outcome

    def named(self, body: Callable[[], bytes], beginning: Callable[[], bytes] | None = None) -> None:
        """The request is there: where it matters which model it names, that is the one, whatever its head says, and
        where its head says none. `beginning` has its first bytes, where they are to be had for less than all."""
        matters = self.permit is not None and self.permit.wants_model
        if matters or not self.ask.model:
            model = first_model_in(beginning()) if beginning is not None else ""
            if matters or not model:
                said = body()
                model = first_model_in(said)
                if matters or (not model and self.pool.models.refused(self.began)):
                    model = model_in(said)
            if model and model != self.ask.model:
                self.ask = replace(self.ask, model=model)

    def refused(self, outcome: Outcome, body: Callable[[], bytes]) -> None:
        """An attempt was. Which model the request names matters now, if that was refused."""
        if outcome.kind is Kind.UNSUPPORTED_MODEL and not self.ask.model:
            self.ask = replace(self.ask, model=model_in(body()))
            self.lease = replace(self.asked, model=self.ask.model)

    def note(self, now: float) -> None:
        """Keep what the last attempt came to."""
        self.log.note(self.asked, self.last, now)
        self.tally.invalidated += self.last.kind is Kind.TOKEN_INVALIDATED

    def record(self, done: Done, now: float) -> Decided:
        """The decision record of the turn, with what became of it."""
        if done is Done.DELIVERED and self.tally.continued:
            done = Done.CONTINUED
        decided = self.log.record(self.ask, done, self.began, now)
        if decided.event.key in self.pool.candidates:
            return decided
        return decided._replace(event=replace(decided.event, key=""))

    def left(self, now: float) -> Lease | Exhausted:
        """Who could still serve this request, without taking them."""
        tried = self.tally.tried
        return self.pool.select(replace(self.ask, tried=tried) if tried else self.ask, now)

    def others_left(self, now: float) -> bool:
        return not isinstance(self.left(now), Exhausted)

    def spent(self, now: float) -> bool:
        """Whether this request has had its attempts, or its time. One whose answer the client got for a while is not
        counted among them."""
        many = self.tally.attempts - self.tally.continued >= MOST_ATTEMPTS
        return many or self.waited(now) > FIRST_BYTE_SECONDS or self.alarmed(now)

    def waited(self, now: float) -> float:
        """Seconds that the client has waited for something to come."""
        return 0.0 if self.phase is Phase.DELIVERING else self.counted(now) - self.since

    def alarmed(self, _: float) -> bool:
        """Whether so many accounts were signed out that the request must end here."""
        return self.tally.invalidated >= MOST_INVALIDATED

    def kept(self, _: float) -> bool:
        """Whether the request can be sent once more, whoever sends it: the client, on its next socket, too."""
        return self.bound or self.replayable

    def token_is_due(self, now: float) -> bool:
        """Whether the token is to be renewed before it is used; once per account and request."""
        return self.asked.key not in self.tally.renewed and self.asked.wants_refresh(now)

    def renewal_is_slow(self, _: float) -> bool:
        return self.renewal_wait(self.asked.key) > RENEWAL_SECONDS

    def somebody_is_ready(self, now: float) -> bool:
        """Whether the next best account needs no renewal."""
        left = self.left(now)
        return not isinstance(left, Exhausted) and not left.wants_refresh(now)

    def token_serves(self, now: float) -> bool:
        """Whether the token that could not be renewed is still good."""
        return not self.asked.expired(now)

    def token_is_new(self, now: float) -> bool:
        return is_fresh(self.asked.credentials, now)

    def may_renew(self, now: float) -> bool:
        return self.replayable and self.asked.key not in self.tally.renewed and not self.spent(now)

    def may_strip(self, now: float) -> bool:
        return self.kept(now) and self.asked.key not in self.tally.stripped

    def is_alone(self, now: float) -> bool:
        """Whether the answer's end is its account's own affair, and another one can serve."""
        return self.last.rule.action not in {Action.DELIVER, Action.UNSEAL} and self.others_left(now)

    def may_resend(self, now: float) -> bool:
        return self.replayable and self.asked.key not in self.tally.resent and not self.spent(now)

    def others_have_failed(self, now: float) -> bool:
        """Whether everybody else who could serve has just failed this thread."""
        tried = self.tally.tried | self.pool.failures.of(self.ask.thread, now)
        return isinstance(self.pool.select(replace(self.ask, tried=tried), now), Exhausted)

    def anybody(self, _: float) -> bool:
        """Whether it does not matter who was asked before."""
        return not self.tally.tried

    def may_ask_others(self, now: float) -> bool:
        return self.others_left(now) and not self.spent(now)

    def about_account(self, now: float) -> bool:
        """Whether the failure is the last account's own affair: it cannot serve any more, or refuses its login."""
        return self.kept(now) and (self.last.rule.bars or self.last.rule.private)

    def out_of_service(self, now: float) -> bool:
        """Whether nobody has been asked, or the last account cannot serve any more."""
        return self.verdict is None or (self.kept(now) and self.last.rule.bars)

    def may_be_told(self, _: float) -> bool:
        """Whether there are words of upstream's that the client may see."""
        return isinstance(self.verdict, events.Failed) and self.verdict.words and not self.last.rule.private
