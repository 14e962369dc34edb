"""When a refusal is believed that several accounts have given alike. Pure."""

from typing import TYPE_CHECKING

from accounts.choice.outcomes import Action, Kind
from accounts.choice.pool import Lease
from accounts.choice.recent_failures import Failure

if TYPE_CHECKING:
    from accounts.turn.state import TurnState


def is_confirmed(turn: "TurnState", now: float) -> bool:
    """Whether another account has given the same refusal, of a kind that is believed then: not while one is left that
    lists the model which they were refused."""
    last, model, key = turn.last, turn.ask.model, turn.asked.key
    if last.rule.action is not Action.ASK_ANOTHER and last.kind is not Kind.UNSUPPORTED_MODEL:
        return False
    told = zip(turn.log.leases, turn.log.outcomes, strict=True)
    same = {lease.key for lease, outcome in told if Failure(lease.key, outcome, now, model).is_like(last, model)} - {
        key
    }
    same |= turn.pool.failures.alike(turn.ask.thread, key, last, now, model=model)
    left = turn.left(now) if same and last.kind is Kind.UNSUPPORTED_MODEL else None
    is_better = isinstance(left, Lease) and turn.pool.models.is_better(left.key, {*same, key}, model, now)
    return bool(same) and not is_better
