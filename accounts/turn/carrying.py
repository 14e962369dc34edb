"""What can be asked of a turn whose answer dies while the client is getting it. Asking changes nothing."""

from typing import Final

from accounts.choice.outcomes import Action
from accounts.continuing.carry import Carry
from accounts.turn import events
from accounts.turn.going_on import may_go_on
from accounts.turn.sockets import stays
from accounts.turn.state import TurnState

MOST_CONTINUED: Final = 3
"""So often the answer of one request goes on elsewhere."""


def is_continuing(turn: TurnState, _: float) -> bool:
    """Whether the client has got a part of the answer: nothing else can be said to it any more."""
    return turn.tally.continued > 0


def goes_on(turn: TurnState, carry: Carry, now: float) -> bool:
    """Whether an answer about which this can be done needs its account no more."""
    if not turn.mid_answer or turn.upgrade or carry is Carry.CLIENT:
        return False
    if carry is Carry.COMPLETE:
        return True
    return turn.tally.continued < MOST_CONTINUED and not stays(turn, now) and turn.others_left(now)


def may_complete(turn: TurnState, now: float) -> bool:
    """Whether the answer can end here, as if it were whole."""
    return _has_died(turn, Carry.COMPLETE, now) and turn.last.rule.action not in {Action.DELIVER, Action.UNSEAL}


def may_continue(turn: TurnState, now: float) -> bool:
    """Whether another account may be asked for what is missing of the answer."""
    return _has_died(turn, Carry.CONTINUE, now) and may_go_on(turn, now)


def _has_died(turn: TurnState, carry: Carry, now: float) -> bool:
    died = isinstance(turn.verdict, events.Died) and turn.verdict.carry is carry
    return died and goes_on(turn, carry, now)
