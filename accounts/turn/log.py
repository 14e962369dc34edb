"""The attempts of a turn, as they come to their ends, and the decision record that is made of them."""

import json
from dataclasses import dataclass, field

from accounts.choice.decision_record import DECISION, AttemptRow, Decided, Done, Record
from accounts.choice.outcomes import Outcome
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.model import Event


@dataclass(slots=True)
class DecisionLog:
    """The attempts of one turn, as they come to their ends."""

    attempts: list[AttemptRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    answers: int = 0
    """How many accounts have begun to answer the client."""
    answered_at: float | None = None
    """When the first of them did, in epoch seconds."""
    refused: str = ""
    """Why the proxy has answered itself: the rule of the pool that keeps others from serving, or the reason."""
    rule: str = ""
    """The rule of the pool's owner that has refused the turn."""

    def answered(self, now: float) -> None:
        """The client gets this attempt's answer from now on."""
        self.answers += 1
        self.answered_at = now if self.answered_at is None else self.answered_at

    def note(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """This attempt has come to this."""
        self.outcomes.append(outcome)
        self.leases.append(lease)
        seconds = round(now - lease.at, 3)
        self.attempts.append(
            AttemptRow(
                account=lease.account.label, why=lease.why, kind=outcome.kind, detail=outcome.detail, seconds=seconds
            )
        )

    def record(self, ask: Ask, done: Done, began: float, now: float) -> Decided:
        """The decision record: why each account, what upstream said, how long it took, and how it ended."""
        seconds, attempts = round(now - began, 3), tuple(self.attempts)
        about = {"person": ask.person, "client_key": ask.client, "rule": self.rule}
        record = Record(str(done), ask.model, seconds, attempts, **about)
        told = {"done": record.done, "model": record.model, "seconds": seconds}
        told |= {"attempts": [each._asdict() for each in attempts]}
        told |= {name: value for name, value in about.items() if value}
        key = self.leases[-1].key if self.leases else ""
        return Decided(record, Event(at=now, kind=DECISION, key=key, thread=ask.thread, detail=json.dumps(told)))
