"""What the pool's owner has ruled about who asks, asked before an account is chosen. Asking changes nothing."""

from accounts.turn.state import TurnState


def is_denied(turn: TurnState, now: float) -> bool:
    """Whether the person who asks may not have this turn."""
    return turn.permit is not None and turn.permit.denial(turn.ask.model, now) is not None


def must_wait(turn: TurnState, now: float) -> bool:
    """Whether other turns come first."""
    return turn.permit is not None and turn.permit.must_wait(now)
