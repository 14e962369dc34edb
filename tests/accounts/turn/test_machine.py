"""The table of a turn: everything that can happen has a row, every row can be reached, every way has an end."""

from collections import Counter
from dataclasses import replace
from datetime import UTC
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.outcomes import Action, Kind, Outcome
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.continuing.carry import Carry
from accounts.people.admission import Admission, Permit
from accounts.people.budgets import Budgets
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.spending import Spending
from accounts.turn import events, steps
from accounts.turn.carrying import MOST_CONTINUED
from accounts.turn.log import DecisionLog
from accounts.turn.machine import TABLE, Illegal, TableRow, Turn, What
from accounts.turn.moves import MoveResult
from accounts.turn.state import MOST_ATTEMPTS, Phase
from accounts.turn.waiting import BUSY_SECONDS, PACE_SECONDS
from tests.builders import NOW, credentials, key_of, lease_of, pool_of, rest, turn_on
from tests.rows import all_rows

HOLDING = {Phase.RENEWING_FIRST, Phase.ASKING, Phase.DELIVERING}
"""In these a lease is out."""
DRIVERS = {
    Phase.NEW: (events.Begin, events.BeginTooLarge),
    Phase.QUEUED: (events.Waited,),
    Phase.RENEWING_FIRST: (events.Renewed, events.NotRenewed),
    Phase.ASKING: (events.AskedAgain, events.Failed, events.Silent, events.Answered, events.Ended),
    Phase.RENEWING: (events.Renewed, events.NotRenewed),
    Phase.PAUSED: (events.Waited, events.AskedAgain),
    Phase.STRIPPING: (events.Stripped, events.NothingStripped),
    Phase.DELIVERING: (events.AskedAgain, events.Died, events.Ended),
    Phase.REFUSED: (events.Ended,),
    Phase.OVER: (),
}
"""What a driver may say in each phase in which it is asked; Left goes everywhere."""
EVERY = tuple(events.Event.__args__)


def made(  # noqa: PLR0911
    kind: type[events.Event], outcome: Outcome, *, words: bool = True, carry: Carry = Carry.CLIENT
) -> events.Event:
    if kind is events.Begin:
        return events.Begin()
    if kind is events.BeginTooLarge:
        return events.BeginTooLarge(lease_of(pool_of("a"), "a"))
    if kind is events.Renewed:
        return events.Renewed(credentials("new"))
    if kind is events.Failed:
        return events.Failed(outcome, words=words)
    if kind is events.Died:
        return events.Died(outcome, carry)
    if kind in {events.Silent, events.Ended, events.NotRenewed, events.Left}:
        return kind(outcome)  # type: ignore[call-arg]
    return kind()  # type: ignore[call-arg]


# --- the table -------------------------------------------------------------------------------------------------------


def test_every_phase_has_its_rows_and_nothing_else_is_in_the_table() -> None:
    assert set(TABLE) == set(Phase)


@all_rows("phase", Phase)
def test_whatever_can_happen_in_a_phase_has_a_row_that_always_holds_and_none_behind_it(phase: Phase) -> None:
    whats = [what for what, *_ in TABLE[phase]]
    for what in dict.fromkeys(whats):
        rows = [when for each, when, *_ in TABLE[phase] if each is what]
        assert rows[-1] == (), (phase, what)
        assert all(rows[:-1]), (phase, what)
        assert len(set(rows)) == len(rows), (phase, what)
        first = whats.index(what)
        assert whats[first : first + len(rows)] == [what] * len(rows), "the rows of a cell stand together"


@all_rows("phase", DRIVERS)
def test_what_a_driver_says_is_what_has_rows(phase: Phase) -> None:
    actions = set(Action) if events.Failed in DRIVERS[phase] else set()
    told = (set(DRIVERS[phase]) - {events.Failed}) | actions | {events.Left}
    assert {what for what, *_ in TABLE[phase]} == told


@all_rows("phase", Phase)
def test_after_a_move_that_ends_in_a_result_the_next_phase_takes_it(phase: Phase) -> None:
    """No phase is entered in which nobody asks anything and nothing goes on."""
    silent = {each for each in Phase if each not in DRIVERS}
    for what, _, _, after in TABLE[phase]:
        if after in silent:
            assert any(isinstance(each, MoveResult) for each, *_ in TABLE[after]), (phase, what)


@all_rows("phase", DRIVERS)
@all_rows("kind", EVERY, ids=lambda each: each.__name__)
def test_what_cannot_happen_is_refused_and_changes_nothing(phase: Phase, kind: type[events.Event]) -> None:
    if kind in DRIVERS[phase] or kind is events.Left:
        return
    turn = turn_on("ab")
    turn.phase = phase
    if phase is not Phase.NEW:
        turn.lease = lease_of(turn.pool, "a")
    with pytest.raises(Illegal, match=f"{kind.__name__} .* {phase}"):
        turn.next(made(kind, Outcome(kind=Kind.OK)), NOW)
    assert (turn.phase, turn.verdict, turn.log) == (phase, None, DecisionLog())


# --- all ways --------------------------------------------------------------------------------------------------------


FAVOURITES = (
    Kind.BURST_LIMIT,
    Kind.USAGE_LIMIT,
    Kind.TOKEN_EXPIRED,
    Kind.TOKEN_INVALIDATED,
    Kind.INVALID_SEALED,
)


class Chance:
    """Draws what happens, in the same order each time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.is_large = seed % 20 == 0
        """Whether a request in a socket is too large for that."""
        self.favourite = self.one(None, None, *FAVOURITES)
        """What an upstream in trouble says nearly always."""
        self.running: Permit | None = None
        """Of another turn of the same person, which may end."""

    def one[T](self, *choices: T) -> T:
        return self._random.choice(choices)

    def event(self, turn: Turn) -> events.Event:
        """One of the things that may happen now."""
        can = [each for each in DRIVERS[turn.phase] if each is not events.AskedAgain or turn.bound]
        if self.favourite and events.Failed in can:
            can += [events.Failed] * 6
        kind = events.Left if self.one(*range(12)) == 0 else self.one(*can)
        likely = [self.favourite] * 60 if self.favourite else [Kind.TOKEN_INVALIDATED] * 5
        until = turn.began + self.one(1.0, 4.0, 90.0) if self.one(*range(4)) == 0 else None
        outcome = Outcome(kind=self.one(*Kind, *likely), until=until)
        return made(kind, outcome, words=self.one(True, True, False), carry=self.one(*Carry, Carry.CONTINUE))

    def turn(self) -> Turn:
        """A request on some pool."""
        names = "abcdef"[: self.one(0, 1, 1, 2, 3, 4, 6)]
        tokens = {
            key_of(name): credentials(
                name, expires_at=NOW + self.one(1.0, 10.0, 9000.0, 9000.0), refreshed_at=self.one(0.0, NOW)
            )
            for name in names
        }
        resting = {key_of(name): rest(900) for name in names if self.one(*range(5)) == 0}
        pool = pool_of(*names, tokens=tokens, rests=resting)
        for name in names if self.one(*range(6)) == 0 else ():
            lease = replace(pool.lease_of(key_of(name), NOW), thread="t")
            pool.report(lease, Outcome(kind=self.one(Kind.SOCKET_CLOSED, Kind.BURST_LIMIT)), NOW)
        if resting and len(resting) < len(names) and self.one(True, False):
            somebody = pool.select(Ask(thread="t"), NOW)
            if isinstance(somebody, Lease):
                pool.report(somebody, Outcome(kind=Kind.OK), NOW)
        ask = Ask(thread=self.one("", "t"))
        return Noted(
            pool=pool,
            ask=ask,
            began=NOW,
            bound=(bound := self.one(True, False)),
            whole=not bound or self.one(True, False),
            renewal_wait=partial(dict.get, dict.fromkeys(pool.candidates, self.one(0.0, 9.0))),
            upgrade=(upgrade := not bound and self.one(True, False)),
            permit=None if upgrade else self.permit(),
            replayable=self.one(True, True, False),
        )

    def permit(self) -> Permit | None:
        """Of somebody with one turn at once, who may have one, or may not have this model, or of nobody."""
        models = ("other",) if self.one(*range(8)) == 0 else ()
        ann = Person(name="ann", budgets=Budgets(at_once=1), models=models)
        admission = Admission(Spending(UTC), lambda _: None)
        admission.load([ann], [ClientKey(name="ann", digest="", person="ann")])
        if self.one(True, False, False):
            self.running = admission.permit("ann", NOW)
            self.running.begin()
        return admission.permit(self.one("ann", ""), NOW) if self.one(*range(3)) == 0 else None

    def begin(self, turn: Turn) -> events.Begin | events.Left:
        if self.one(*range(20)) == 0:
            return events.Left(Outcome(kind=Kind.CLIENT_GONE))
        lease = (
            turn.pool.lease_of(self.one(*turn.pool.candidates), NOW) if turn.bound and turn.pool.candidates else None
        )
        turn.bound = turn.bound and lease is not None
        begin = events.BeginTooLarge if turn.bound and self.is_large else events.Begin
        return begin(lease)


class Noted(Turn):
    """Keeps which rows were taken."""

    def row_for(self, phase: Phase, what: What, now: float) -> TableRow:
        row = super().row_for(phase, what, now)
        SEEN.add((phase, what, row.when))
        return row


SEEN: set[tuple[Phase, object, object]] = set()


def check_way(chance: Chance) -> None:
    """Something happens until the turn is over; each time some time passes. What holds on every way is checked."""
    turn, now, again, stripped, delivered = chance.turn(), NOW, 0, 0, False
    pool, event = turn.pool, chance.begin(turn)
    only = event.lease if isinstance(event, events.Begin) and turn.bound and not turn.whole else None
    while True:
        step = turn.next(event, now)
        if only is not None:
            assert not isinstance(step, steps.Renew), "the socket has been opened with the token that it has"
            assert not isinstance(step, steps.Attempt) or step.lease.key == only.key, "nobody else could read it"
        held = Counter({key: pool.in_flight(key) for key in pool.candidates if pool.in_flight(key)})
        assert sum(held.values()) == (turn.phase in HOLDING), (turn.phase, step, held)
        assert turn.bound or turn.upgrade or turn.phase is Phase.OVER or not isinstance(step, steps.HandOver)
        delivered = isinstance(step, steps.Deliver) or (delivered and not isinstance(event, events.AskedAgain))
        assert not (delivered and isinstance(step, steps.Refuse)), "the client has got a part of an answer"
        assert turn.phase is not Phase.REFUSED or not turn.tally.continued
        stripped += isinstance(step, steps.StripAndRetry)
        if turn.phase is Phase.OVER:
            break
        event = chance.event(turn)
        if turn.phase is Phase.QUEUED and chance.running is not None and chance.one(True, False):
            chance.running.over()
        again += isinstance(event, events.AskedAgain | events.Silent)
        if again > 3:
            event = events.Left(Outcome(kind=Kind.CLIENT_GONE))
        now += chance.one(0.0, 0.5, 20.0, 0.5, 20.0, 400.0)
    assert not held
    if turn.permit is not None and chance.running is not None:
        chance.running.over()
        assert not turn.permit.must_wait(now), "a turn that is over takes no place"
    tally = turn.tally
    assert tally.attempts <= MOST_ATTEMPTS + tally.continued
    most = 2 * (MOST_ATTEMPTS + tally.continued)
    assert len(turn.log.attempts) <= most + stripped + tally.rounds + len(tally.resent) + again
    assert tally.waited_for_all <= BUSY_SECONDS
    assert tally.continued <= MOST_CONTINUED
    assert stripped <= len(pool.candidates)
    assert turn.tally.waited <= PACE_SECONDS
    assert isinstance(turn.next(events.Left(Outcome(kind=Kind.CLIENT_GONE)), NOW), steps.Finish)


@given(seed=st.integers())
@settings(max_examples=6 * settings.default.max_examples)
def test_every_way_ends_within_its_budget_with_each_lease_given_back_once(seed: int) -> None:
    check_way(Chance(seed))


def test_every_row_can_be_reached() -> None:
    """By some pool, some answers and some driver."""
    rows = {(phase, what, when) for phase, rows in TABLE.items() for what, when, *_ in rows}
    for seed in range(6000):
        check_way(Chance(seed))
        if rows <= SEEN:
            break
    missing = [(str(phase), getattr(what, "__name__", what), when) for phase, what, when in rows - SEEN]
    assert missing == []
