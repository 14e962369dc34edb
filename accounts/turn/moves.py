"""What a turn can do: each move does one thing, and ends in a step for the driver, or in what has come of it.

Which move is made when is in machine.py.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final

from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease
from accounts.choice.selection import Exhausted
from accounts.turn import events, steps, waiting
from accounts.turn.state import MOST_INVALIDATED, TurnState
from accounts.turn.steps import Reason

SOCKETS_ACCOUNT: Final = "the socket's account"
ONCE_MORE: Final = "once more"
CONTINUES: Final = "continues after"
"""How the reason for an account begins that goes on with an answer."""
QUEUE_LOOK_SECONDS: Final = 0.5
"""So often a turn that waits for others looks whether it is next."""


class MoveResult(StrEnum):
    """What a move has come to, where that decides what is next."""

    CHOSEN = "an account is chosen"
    NOBODY = "no account can be"
    SETTLED = "its account has taken the consequences"


type Move = Callable[[TurnState, events.Event, float], steps.Step | MoveResult]

# --- whom to ask -----------------------------------------------------------------------------------------------------


def choose(turn: TurnState, _: events.Event, now: float) -> MoveResult:
    """Take the pool's choice among those that were not asked yet."""
    return _take(turn, turn.left(now), now)


def choose_again(turn: TurnState, event: events.Event, now: float) -> MoveResult:
    """Take the same account with the tokens it has now; another one if it was paused or removed meanwhile."""
    key, turn.verdict = turn.asked.key, None  # what it has said before is gone
    others = frozenset(each for each in turn.pool.candidates if each != key)
    chosen = turn.pool.select(replace(turn.ask, tried=(turn.tally.tried - {key}) | others), now)
    if isinstance(chosen, Exhausted):
        return choose(turn, event, now)
    return _take(turn, replace(chosen, why=ONCE_MORE), now)


def pass_over(turn: TurnState, event: events.Event, now: float) -> MoveResult:
    """Leave the account that was chosen for one that can be asked at once: this was no attempt."""
    turn.pool.leave(turn.asked.key)
    turn.tally.attempts -= 1
    return choose(turn, event, now)


def choose_renewed(turn: TurnState, event: events.Event, now: float) -> MoveResult:
    """The same with its new token. That the old one had aged was no attempt."""
    turn.tally.attempts -= 1
    return choose_again(turn, event, now)


def ask(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    return steps.Attempt(turn.asked)


def ask_here(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """The first attempt is on the account of the socket."""
    _enter(turn, replace(turn.asked, at=turn.began, model=turn.ask.model, why=SOCKETS_ACCOUNT), now)
    return steps.Attempt(turn.asked)


def ask_renewed(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    """With the new token if there is one."""
    if isinstance(event, events.Renewed):
        turn.lease = replace(turn.asked, credentials=event.credentials)
    return steps.Attempt(turn.asked)


def _take(turn: TurnState, chosen: Lease | Exhausted, now: float) -> MoveResult:
    if isinstance(chosen, Exhausted):
        return MoveResult.NOBODY
    _enter(turn, chosen, now)
    return MoveResult.CHOSEN


def _enter(turn: TurnState, lease: Lease, now: float) -> None:
    turn.lease = lease
    turn.tally.attempts += 1
    turn.tally.tried |= {lease.key}
    turn.pool.enter(lease, now)
    if turn.permit is not None:
        turn.permit.begin()


def queue(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """Other turns come first."""
    return steps.Pause(turn.lease, QUEUE_LOOK_SECONDS)


# --- once more, on the same account: no penalty ----------------------------------------------------------------------


def renew_ahead(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    turn.tally.renewed |= {turn.asked.key}
    return steps.Renew(turn.asked, ahead=True)


def renew(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """The token may only have aged."""
    _give_back(turn, now)
    turn.tally.renewed |= {turn.asked.key}
    return steps.Renew(turn.asked, ahead=False)


def distrust(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """Whoever takes the account next has its token renewed first."""
    _give_back(turn, now)
    turn.pool.distrust(turn.asked.key)
    return steps.HandOver()


def wait(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """The account only asked for patience."""
    seconds = waiting.pause(turn, now)
    _give_back(turn, now)
    turn.tally.waited += seconds
    turn.pool.pace(turn.asked, now)
    return steps.Pause(turn.asked, seconds)


def wait_for_all(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """All accounts are asked too often: after a while any of them may serve. The next attempt takes the place of the
    last one."""
    seconds = waiting.round_seconds(turn, now)
    turn.tally.rounds += 1
    turn.tally.waited_for_all += seconds
    turn.tally.attempts -= 1
    turn.tally.tried = frozenset()
    return steps.Pause(turn.asked, seconds)


def calm_down(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """Several accounts were signed out. One more is asked, but not at once."""
    turn.tally.calmed_after, turn.tally.invalidated = len(turn.log.outcomes), 0
    return steps.Pause(turn.asked, waiting.CALM_SECONDS)


def resend(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    """Nobody has read the request: this was no attempt."""
    blame(turn, event, now)
    turn.tally.resent |= {turn.asked.key}
    turn.tally.attempts -= 1
    return steps.Pause(turn.asked, 0.0)


def ask_once_more(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """On its WebSocket, to the account that it belongs to."""
    turn.verdict = None
    _enter(turn, replace(turn.asked, at=now, why=ONCE_MORE), now)
    return steps.Attempt(turn.asked)


def strip(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    """The account is as good as before, so this was no attempt."""
    blame(turn, event, now)
    turn.tally.stripped |= {turn.asked.key}
    turn.tally.attempts -= 1
    return steps.StripAndRetry(turn.asked)


def retry(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """Not at once: the connection is still busy with the answer that has just ended."""
    return steps.Pause(turn.asked, 0.0)


# --- what came of an attempt -----------------------------------------------------------------------------------------


def blame(turn: TurnState, _: events.Event, now: float) -> MoveResult:
    """The lease goes back, and the account takes the consequences."""
    _give_back(turn, now)
    return _report(turn, now)


def blame_unrenewed(turn: TurnState, _: events.Event, now: float) -> MoveResult:
    """The same after the token could not be renewed; the lease was given back when it was refused."""
    turn.note(now)
    return _report(turn, now)


def blame_and_hand_over(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    blame(turn, event, now)
    return steps.HandOver()


def blame_and_use_http(turn: TurnState, event: events.Event, now: float) -> steps.Step | MoveResult:
    """The client waits for the head of an answer much longer than for a socket."""
    blame(turn, event, now)
    return say_use_http(turn, event, now)


def blame_and_complete(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    blame(turn, event, now)
    return steps.Complete()


def carry_on(turn: TurnState, event: events.Event, now: float) -> MoveResult:
    """Another account is asked for what is missing. From now on the client waits anew."""
    blame(turn, event, now)
    turn.tally.continued += 1
    turn.since = turn.counted(now)
    chosen = turn.left(now)
    if isinstance(chosen, Lease) and isinstance(event, events.Died):
        chosen = replace(chosen, why=f"{CONTINUES} {event.events} events")
    return _take(turn, chosen, now)


def end(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    blame(turn, event, now)
    return steps.Finish()


def keep_waiting(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    return steps.Wait()


def _report(turn: TurnState, now: float) -> MoveResult:
    turn.pool.report(turn.asked, turn.last, now)
    if turn.last.kind is Kind.TOKEN_INVALIDATED and turn.pool.alarm.on(now):
        turn.tally.invalidated = MOST_INVALIDATED
    return MoveResult.SETTLED


def _give_back(turn: TurnState, now: float) -> None:
    turn.pool.leave(turn.asked.key)
    turn.note(now)


# --- what the client gets --------------------------------------------------------------------------------------------


def deliver(turn: TurnState, event: events.Event, now: float) -> steps.Step:
    if isinstance(event, events.Answered):
        turn.log.answered(now)
    return steps.Deliver()


def deliver_alone(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """Nobody else can be asked, and what upstream said is truer than that all are resting."""
    return steps.Deliver(nobody=_nobody(turn, now))


def hand_over(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    return steps.HandOver()


def leave_sockets(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """The thread goes on over HTTP: it is told so when it asks for its next socket. Nobody has read the request."""
    turn.pool.report(turn.asked, Outcome(kind=Kind.TOO_LARGE, detail="not sent"), now)
    return steps.HandOver()


def give_up(turn: TurnState, _: events.Event, now: float) -> MoveResult:
    return MoveResult.SETTLED


def finish(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    return steps.Finish()


def say_ruled_out(turn: TurnState, _: events.Event, now: float) -> steps.Step:
    """The rule that is to blame is told, and noted."""
    denial = turn.permit.denial(turn.ask.model, now) if turn.permit is not None else None
    turn.log.rule = str(denial.rule) if denial is not None else ""
    return steps.Refuse(Reason.RULED_OUT, denial=denial)


def _refusing(reason: Reason, *, alone: bool = False) -> Move:
    """`alone`: because nobody can be asked, or nobody else."""

    def move(turn: TurnState, _: events.Event, now: float) -> steps.Step:
        detail = "" if turn.verdict is None else f"{turn.last.kind} {turn.last.detail}".strip()
        nobody = _nobody(turn, now) if alone else None
        turn.log.refused = (nobody.rule if nobody is not None else "") or str(reason)
        return steps.Refuse(reason, nobody, detail, _soonest(turn, now))

    return move


say_nobody_left: Final = _refusing(Reason.NOBODY_LEFT, alone=True)
say_others_left: Final = _refusing(Reason.OTHERS_LEFT)
say_signed_out: Final = _refusing(Reason.SIGNED_OUT)
say_busy: Final = _refusing(Reason.BUSY)
say_use_http: Final = _refusing(Reason.USE_HTTP)
say_unreachable: Final = _refusing(Reason.UNREACHABLE)
say_unreachable_alone: Final = _refusing(Reason.UNREACHABLE, alone=True)


def _soonest(turn: TurnState, now: float) -> float:
    """Seconds until the first of the accounts that have named a time may be asked again."""
    return min((each.until - now for each in turn.log.outcomes if each.until is not None), default=0.0)


def _nobody(turn: TurnState, now: float) -> Exhausted | None:
    left = turn.left(now)
    return left if isinstance(left, Exhausted) else None
