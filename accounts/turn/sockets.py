"""What can be asked of a turn that comes on a WebSocket, or asks for one. Asking changes nothing."""

from accounts.choice.outcomes import Action, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Exhausted
from accounts.turn.state import TurnState


def on_socket(turn: TurnState, _: float) -> bool:
    return turn.bound


def stays(turn: TurnState, _: float) -> bool:
    """Whether only the socket that the request came on can serve it."""
    return turn.bound and not turn.whole


def belongs_here(turn: TurnState, now: float) -> bool:
    """Whether a turn on a socket is best served by the socket's account.

    With nobody else left it is: what upstream says is truer than what we know. But for the pool's own rules, and what
    its owner has taken out of it.
    """
    if turn.lease is None:
        return False
    lease, chosen = turn.asked, turn.pool.select(turn.ask, now)
    if isinstance(chosen, Exhausted):
        return not (chosen.rule or is_out(turn.pool, lease.key))
    if chosen.key == lease.key:
        return True
    if not turn.pool.can_serve(lease.key, turn.ask, now) or lease.key in turn.pool.failures.of(turn.ask.thread, now):
        return False
    if not turn.pool.place(turn.ask.thread, now).home:
        return True  # where it will live, if it is served
    return not turn.ask.thread or turn.pool.tired(lease.key, now)  # a short rest is not worth a new connection


def is_out(pool: Pool, key: str) -> bool:
    """Whether the pool's owner has paused or removed this account."""
    candidate = pool.candidates.get(key)
    return candidate is None or not candidate.account.enabled


def is_blamed_unasked(outcome: Outcome) -> bool:
    """Whether an account is blamed for a failure that upstream tells between two turns. What a turn would meet with
    anything else than another account (a new token, a pause, another body) is left to the next one."""
    return outcome.rule.action is Action.RETRY_OTHER


def is_upgrade(turn: TurnState, _: float) -> bool:
    return turn.upgrade


def sockets_fail(turn: TurnState, now: float) -> bool:
    """Whether the thread had better go on over HTTP."""
    return turn.upgrade and turn.pool.failures.sockets_fail(turn.ask.thread, now)


def sockets_are_no_use(turn: TurnState, now: float) -> bool:
    """Whether another socket would fare no better: the thread goes on over HTTP, as the client is told when it asks
    for its next one."""
    if not turn.bound:
        return False
    return turn.last.kind is Kind.UPGRADE_REFUSED or turn.pool.failures.sockets_fail(turn.ask.thread, now)
