"""Whether another account may be asked after one has failed, and when a refusal is believed that several have given
alike. Asking changes nothing."""

from accounts.choice.outcomes import Action, Blame, Kind
from accounts.choice.pool import Lease
from accounts.choice.recent_failures import Failure
from accounts.turn.state import Phase, TurnState


def may_go_on(turn: TurnState, now: float) -> bool:
    """Whether another account may be asked after this failure."""
    rule = turn.last.rule
    if rule.action in {Action.DELIVER, Action.UNSEAL} or turn.spent(now):
        return False
    if is_confirmed(turn, now):
        return False
    stormy = rule.blame is Blame.UPSTREAM and turn.pool.storm.on_beside(turn.tally.tried, now)
    if stormy and not has_begun(turn, now):
        return False  # asking more accounts would only add to it
    return turn.kept(now)


def has_begun(turn: TurnState, _: float) -> bool:
    """Whether the client has got a part of the answer: left alone with that, it asks again at once."""
    return turn.phase is Phase.DELIVERING or turn.tally.continued > 0


def is_confirmed(turn: TurnState, now: float) -> bool:
    """Whether another account has given the same refusal, of a kind that is believed then. What is refused is a model:
    not while one is left that lists it, or has another plan than they have."""
    last, model, key = turn.last, turn.ask.model, turn.asked.key
    if last.rule.action is not Action.ASK_ANOTHER and last.kind is not Kind.UNSUPPORTED_MODEL:
        return False
    told = (
        Failure(lease.key, outcome, now, model)
        for lease, outcome in zip(turn.log.leases, turn.log.outcomes, strict=True)
    )
    same = {each.key for each in told if each.key != key and each.is_like(last, model)}
    same |= turn.pool.failures.alike(turn.ask.thread, key, last, now, model=model)
    left = turn.left(now) if same and last.kind is Kind.UNSUPPORTED_MODEL else None
    return bool(same) and not (isinstance(left, Lease) and _may_have_it(turn, left, {*same, key}, now))


def _may_have_it(turn: TurnState, left: Lease, refused: set[str], now: float) -> bool:
    """Whether there is a reason to ask another account for a model that these were refused."""
    pool = turn.pool
    plans = {pool.candidates[key].account.plan for key in refused if key in pool.candidates}
    return left.account.plan not in plans or pool.models.is_better(left.key, refused, turn.ask.model, now)
