"""Whether and how long a turn waits: for an account that asks for patience, for any of them, or for calm. Asking
changes nothing."""

from typing import Final

from accounts.choice.outcomes import Action, Kind
from accounts.turn.state import FIRST_BYTE_SECONDS, TurnState

PACE_SECONDS: Final = 5.0
"""So long a request waits in all for accounts that are asked too often; a longer wait means another account."""
USUAL_PACE: Final = 1.0
"""When upstream does not say how long."""
SHORTEST_PACE: Final = 0.1
BUSY_SECONDS: Final = 12.0
"""So long a request waits in all while every account is asked too often."""
LONGEST_ROUND: Final = 4.0
CALM_SECONDS: Final = 3.0
"""So long such a request waits before it asks one more account, once."""


def may_wait(turn: TurnState, now: float) -> bool:
    """Whether a short wait is worth it: once in a while per account, and not for long."""
    seconds = pause(turn, now)
    long = turn.tally.waited + seconds > PACE_SECONDS or turn.waited(now) + seconds > FIRST_BYTE_SECONDS
    return turn.kept(now) and not long and not turn.spent(now) and turn.pool.may_pace(turn.asked, now)


def all_busy(turn: TurnState, _: float) -> bool:
    """Whether all that was said for this request is that it comes too often."""
    return bool(turn.log.outcomes) and all(each.kind is Kind.BURST_LIMIT for each in turn.log.outcomes)


def may_wait_for_all(turn: TurnState, now: float) -> bool:
    """Whether the request may wait until one of the accounts, all of them busy, can serve."""
    if not (turn.kept(now) and all_busy(turn, now)):
        return False
    seconds = round_seconds(turn, now)
    in_time = turn.waited(now) + seconds <= FIRST_BYTE_SECONDS
    return in_time and turn.tally.waited_for_all + seconds <= BUSY_SECONDS


def round_seconds(turn: TurnState, now: float) -> float:
    """How long is waited for any account: each time longer, and not less than all of them ask for."""
    named = [each.until - now for each in turn.log.outcomes if each.until is not None]
    asked_for = min(named) if len(named) == len(turn.log.outcomes) else 0.0
    return max(asked_for, min(LONGEST_ROUND, USUAL_PACE * 2.0**turn.tally.rounds))


def may_calm_down(turn: TurnState, now: float) -> bool:
    """Whether one more account may be asked after a while, though several were signed out: once, whatever the last
    attempt came to that another account may be spared."""
    if not turn.alarmed(now) or turn.tally.calmed_after or turn.last.rule.action is not Action.RETRY_OTHER:
        return False
    in_time = turn.waited(now) + CALM_SECONDS <= FIRST_BYTE_SECONDS
    return in_time and turn.kept(now) and turn.others_left(now)


def is_calming(turn: TurnState, _: float) -> bool:
    """Whether that is what was waited for: nobody was asked since."""
    return turn.tally.calmed_after == len(turn.log.outcomes) > 0


def pause(turn: TurnState, now: float) -> float:
    """Seconds until the account that asks for patience is to be asked again."""
    return USUAL_PACE if turn.last.until is None else max(turn.last.until - now, SHORTEST_PACE)
