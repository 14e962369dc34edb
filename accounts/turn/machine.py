"""A turn: one request of the client, from account to account. Without I/O; a driver tells it what happens, and does
what it says.

TABLE is all of it. A turn is in a phase; something happens; of the rows for both, the first whose questions are all
answered with yes says what is done and which phase is next. What has no row cannot happen there, and raises Illegal.
What follows from a failure is the action of its kind (accounts/choice/outcomes.py). To add a rule is to add a row.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from accounts.choice.outcomes import Action
from accounts.turn import carrying as c
from accounts.turn import entrance as n
from accounts.turn import events as e
from accounts.turn import going_on as g
from accounts.turn import moves as m
from accounts.turn import sockets as s
from accounts.turn import waiting as w
from accounts.turn.events import Event
from accounts.turn.moves import Move, MoveResult
from accounts.turn.state import Phase, TurnState
from accounts.turn.state import TurnState as T
from accounts.turn.steps import Step

type What = type[Event] | Action | MoveResult
type Question = Callable[[TurnState, float], bool]
type Rows = tuple[tuple[What, tuple[Question, ...], Move, Phase], ...]

P: Final = Phase
R: Final = MoveResult
# fmt: off
TABLE: Final[dict[Phase, Rows]] = {
    #    what happened        if                                               then                    phase
    P.NEW: (
        (e.Begin,            (s.sockets_fail,),                               m.say_use_http,         P.OVER),
        (e.Begin,            (n.is_denied,),                                  m.say_ruled_out,        P.OVER),
        (e.Begin,            (n.must_wait,),                                  m.queue,                P.QUEUED),
        (e.Begin,            (s.on_socket, s.belongs_here),                   m.ask_here,             P.ASKING),
        (e.Begin,            (s.stays,),                                      m.hand_over,            P.OVER),
        (e.Begin,            (),                                              m.choose,               P.CHOOSING),
        (e.BeginTooLarge,    (),                                              m.leave_sockets,        P.OVER),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.QUEUED: (
        (e.Waited,           (n.is_denied,),                                  m.say_ruled_out,        P.OVER),
        (e.Waited,           (n.must_wait,),                                  m.queue,                P.QUEUED),
        (e.Waited,           (s.on_socket, s.belongs_here),                   m.ask_here,             P.ASKING),
        (e.Waited,           (s.stays,),                                      m.hand_over,            P.OVER),
        (e.Waited,           (),                                              m.choose,               P.CHOOSING),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.CHOOSING: (
        (R.CHOSEN,           (T.token_is_due, T.renewal_is_slow, T.token_serves), m.ask,              P.ASKING),
        (R.CHOSEN,           (T.token_is_due, T.renewal_is_slow, T.somebody_is_ready), m.pass_over,   P.CHOOSING),
        (R.CHOSEN,           (T.token_is_due,),                               m.renew_ahead,          P.RENEWING_FIRST),
        (R.CHOSEN,           (),                                              m.ask,                  P.ASKING),
        (R.NOBODY,           (w.may_wait_for_all,),                           m.wait_for_all,         P.PAUSED),
        (R.NOBODY,           (c.is_continuing,),                              m.hand_over,            P.OVER),
        (R.NOBODY,           (w.all_busy,),                                   m.say_busy,             P.OVER),
        (R.NOBODY,           (T.out_of_service,),                             m.say_nobody_left,      P.OVER),
        (R.NOBODY,           (T.may_be_told,),                                m.deliver_alone,        P.REFUSED),
        (R.NOBODY,           (),                                              m.say_unreachable_alone, P.OVER),
    ),
    P.RENEWING_FIRST: (
        (e.Renewed,          (),                                              m.ask_renewed,          P.ASKING),
        (e.NotRenewed,       (T.token_serves,),                               m.ask_renewed,          P.ASKING),
        (e.NotRenewed,       (),                                              m.blame,                P.FAILED),
        (e.Left,             (),                                              m.end,                  P.OVER),
    ),
    P.ASKING: (
        (e.AskedAgain,       (),                                              m.ask,                  P.ASKING),
        (e.Answered,         (),                                              m.deliver,              P.DELIVERING),
        (e.Ended,            (),                                              m.end,                  P.OVER),
        (e.Silent,           (s.is_upgrade, T.others_have_failed),            m.blame_and_use_http,   P.OVER),
        (e.Silent,           (s.is_upgrade,),                                 m.blame_and_hand_over,  P.OVER),
        (e.Silent,           (T.may_ask_others,),                             m.blame,                P.FAILED),
        (e.Silent,           (),                                              m.keep_waiting,         P.ASKING),
        (Action.REFRESH,     (s.stays, T.token_is_new),                       m.blame_and_hand_over,  P.OVER),
        (Action.REFRESH,     (s.stays,),                                      m.distrust,             P.OVER),
        (Action.REFRESH,     (T.may_renew,),                                  m.renew,                P.RENEWING),
        (Action.REFRESH,     (),                                              m.blame,                P.FAILED),
        (Action.RETRY_SAME,  (w.may_wait,),                                   m.wait,                 P.PAUSED),
        (Action.RETRY_SAME,  (),                                              m.blame,                P.FAILED),
        (Action.RESEND,      (T.may_resend,),                                 m.resend,               P.PAUSED),
        (Action.RESEND,      (),                                              m.blame,                P.FAILED),
        (Action.UNSEAL,      (T.may_strip,),                                  m.strip,                P.STRIPPING),
        (Action.UNSEAL,      (),                                              m.blame,                P.FAILED),
        (Action.ASK_ANOTHER, (),                                              m.blame,                P.FAILED),
        (Action.RETRY_OTHER, (),                                              m.blame,                P.FAILED),
        (Action.DELIVER,     (),                                              m.blame,                P.FAILED),
        (e.Left,             (),                                              m.end,                  P.OVER),
    ),
    P.RENEWING: (
        (e.Renewed,          (),                                              m.choose_renewed,       P.CHOOSING),
        (e.NotRenewed,       (),                                              m.blame_unrenewed,      P.FAILED),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.PAUSED: (
        (e.Waited,           (s.stays,),                                      m.ask_once_more,        P.ASKING),
        (e.Waited,           (T.anybody,),                                    m.choose,               P.CHOOSING),
        (e.Waited,           (w.is_calming,),                                 m.choose,               P.CHOOSING),
        (e.Waited,           (),                                              m.choose_again,         P.CHOOSING),
        (e.AskedAgain,       (),                                              m.ask_once_more,        P.ASKING),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.STRIPPING: (
        (e.Stripped,         (),                                              m.retry,                P.PAUSED),
        (e.NothingStripped,  (),                                              m.give_up,              P.GIVING_UP),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.FAILED: (
        (R.SETTLED,          (s.sockets_are_no_use,),                         m.hand_over,            P.OVER),
        (R.SETTLED,          (s.stays, w.may_wait_for_all, T.others_have_failed), m.wait_for_all,     P.PAUSED),
        (R.SETTLED,          (s.stays, g.may_go_on, T.others_left),           m.hand_over,            P.OVER),
        (R.SETTLED,          (s.stays,),                                      m.give_up,              P.GIVING_UP),
        (R.SETTLED,          (w.may_calm_down,),                              m.calm_down,            P.PAUSED),
        (R.SETTLED,          (g.may_go_on,),                                  m.choose,               P.CHOOSING),
        (R.SETTLED,          (),                                              m.give_up,              P.GIVING_UP),
    ),
    P.GIVING_UP: (
        (R.SETTLED,          (c.is_continuing,),                              m.hand_over,            P.OVER),
        (R.SETTLED,          (T.about_account, T.alarmed),                    m.say_signed_out,       P.OVER),
        (R.SETTLED,          (T.about_account, T.others_left, s.on_socket),   m.hand_over,            P.OVER),
        (R.SETTLED,          (T.about_account, T.others_left),                m.say_others_left,      P.OVER),
        (R.SETTLED,          (w.may_wait_for_all,),                           m.wait_for_all,         P.PAUSED),
        (R.SETTLED,          (w.all_busy,),                                   m.say_busy,             P.OVER),
        (R.SETTLED,          (T.out_of_service,),                             m.say_nobody_left,      P.OVER),
        (R.SETTLED,          (T.may_be_told,),                                m.deliver,              P.REFUSED),
        (R.SETTLED,          (),                                              m.say_unreachable,      P.OVER),
    ),
    P.DELIVERING: (
        (e.AskedAgain,       (),                                              m.ask,                  P.ASKING),
        (e.Died,             (c.may_complete,),                               m.blame_and_complete,   P.OVER),
        (e.Died,             (c.may_continue,),                               m.carry_on,             P.CHOOSING),
        (e.Died,             (T.is_alone,),                                   m.blame_and_hand_over,  P.OVER),
        (e.Died,             (),                                              m.end,                  P.OVER),
        (e.Ended,            (),                                              m.end,                  P.OVER),
        (e.Left,             (),                                              m.end,                  P.OVER),
    ),
    P.REFUSED: (
        (e.Ended,            (),                                              m.finish,               P.OVER),
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
    P.OVER: (
        (e.Left,             (),                                              m.finish,               P.OVER),
    ),
}
# fmt: on
"""Of each phase: what may happen, questions that must hold, the move, and the phase after it."""


class TableRow(NamedTuple):
    """If these hold, do this, and be there."""

    when: tuple[Question, ...]
    move: Move
    after: Phase


_CELLS: Final[defaultdict[tuple[Phase, What], list[TableRow]]] = defaultdict(list)
for _phase, _rows in TABLE.items():
    for _what, _when, _move, _after in _rows:
        _CELLS[_phase, _what].append(TableRow(_when, _move, _after))


class Illegal(Exception):
    """Something was told that cannot happen in this phase: a defect of the driver."""


class Turn(TurnState):
    """One request of the client."""

    __slots__ = ()

    def next(self, event: Event, now: float) -> Step:
        """Something has happened: what the driver does next. Raises Illegal, and then nothing has changed."""
        what: What = event.outcome.rule.action if isinstance(event, e.Failed) else type(event)
        if (self.phase, what) not in _CELLS:
            raise Illegal(f"{type(event).__name__} cannot happen to a turn that is {self.phase}")
        if isinstance(event, e.Verdict):
            self.verdict = event
        if isinstance(event, e.Begin) and self.lease is None:
            self.lease = event.lease
        phase = self.phase
        while True:
            row = self.row_for(phase, what, now)
            done = row.move(self, event, now)
            phase = row.after
            if not isinstance(done, MoveResult):
                self.phase = phase
                if phase is P.OVER and self.permit is not None:
                    self.permit.over()
                return done
            what = done

    def row_for(self, phase: Phase, what: What, now: float) -> TableRow:
        """The first row of this cell whose questions are all answered with yes; the last one has none."""
        for row in _CELLS[phase, what]:
            for asked in row.when:
                if not asked(self, now):
                    break
            else:
                return row
        raise AssertionError(f"the cell {phase}, {what} has no last row")
