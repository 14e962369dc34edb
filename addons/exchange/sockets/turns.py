"""The turns on one client's socket: a driver of the turn's state machine (accounts/turn/machine.py).

Each `response.create` is a request of its own, and begins on the account whose socket is behind the client's. Another
account means another socket there. Nothing is decided here.
"""

from dataclasses import replace
from typing import Final

from mitmproxy import http

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.continuing.carry import completed
from accounts.requests import identity
from accounts.turn import events, steps
from accounts.turn.carrying import goes_on
from accounts.turn.machine import Turn
from accounts.turn.sockets import is_blamed_unasked, is_out, stays
from accounts.turn.state import Phase
from addons.attempts.protocol import Put, Say, Signal, SocketStep
from addons.exchange import credentials
from addons.exchange.answering import local_answers
from addons.exchange.service import PoolService
from addons.exchange.sockets.traffic import SocketTraffic
from addons.exchange.sockets.upgrades import Upgrades
from addons.recording.ended_turn import EndedTurn, Noted, unheard
from addons.wire import answers
from addons.wire.answers import RECONNECT

MOST_BYTES: Final = 16 << 20
"""Upstream closes a socket on which more comes in one message, and the client then complains before it goes on."""
_NOBODY_ASKED: Final = events.Left(Outcome(kind=Kind.CLIENT_GONE))


class SocketTurns:
    """The one that is under way, and whose socket serves it."""

    def __init__(self, service: PoolService, lease: Lease, upgrades: Upgrades, chain_bytes: int) -> None:
        self.service = service
        self.upgrades = upgrades
        self.noted: Noted = unheard
        """Told of every turn that is over."""
        self.lease = lease
        self.is_open = True
        """Whether the socket of this lease is there."""
        self.is_moving = False
        """Whether it is being opened although nobody has asked for anything."""
        self.turn: Turn | None = None
        self.traffic = SocketTraffic(service.steady(), chain_bytes)
        self.awaited: steps.Renew | steps.Pause | events.Event | None = None
        """What has to be waited for before the turn goes on; once it is over, what has come of it."""

    @property
    def phase(self) -> Phase | None:
        """None between two turns."""
        return self.turn.phase if self.turn is not None else None

    @property
    def _turn(self) -> Turn:
        assert self.turn is not None
        return self.turn

    @property
    def _ask(self) -> Ask:
        """What the client asks of the pool, whatever it asks of the model."""
        lease = self.lease
        return Ask(thread=lease.thread, model=lease.model, pin=lease.pin, guest=lease.guest, client=lease.client)

    # What happens

    def begin(self, content: bytes) -> SocketStep:
        """The client asks."""
        if not self.lease.thread:
            self.lease = replace(self.lease, thread=identity.thread_in(content))
        lease = self.lease
        self.traffic.asks(content, self.service.steady())
        self.turn = self.service.turn(self._ask, bound=True)
        self.turn.named(lambda: content)
        self.turn.whole = self.traffic.chain.is_whole(content)
        if len(content) > MOST_BYTES:
            return self.tell(events.BeginTooLarge(lease))
        return self.tell(events.Begin(lease if self.is_open else None))

    def more(self, content: bytes) -> bytes | None:
        """The client asks for more in the same turn: what goes upstream, None while nobody is there to take it."""
        self.traffic.asks(content, self.service.steady())
        if self.phase in {Phase.QUEUED, Phase.RENEWING, Phase.RENEWING_FIRST} or not self.is_open:
            return None
        self._turn.next(events.AskedAgain(), self.service.clock())
        return self.readied()

    def failed(self, outcome: Outcome, *, words: bool = False, content: bytes = b"") -> SocketStep:
        """Upstream has failed, before output or in its middle. `content` is the message that says so."""
        self.is_moving = False
        if self.phase is Phase.DELIVERING:
            self.traffic.delivered.ended(content)
            return self.tell(events.Died(outcome, self.traffic.carry(), self.traffic.delivered.events), content)
        if self.phase is not Phase.ASKING:
            return Signal.WAIT
        self._turn.refused(outcome, self.readied)
        return self.tell(events.Failed(outcome, words=words), content)

    def fail_unasked(self, outcome: Outcome) -> None:
        """Upstream has failed while nobody asks for anything: the next turn needs another socket."""
        self.is_open = False
        if is_blamed_unasked(outcome):
            self.service.failed(self.lease.account, outcome)
            self.service.pool.report(self.lease, outcome, self.service.clock())

    def may_fail_unheard(self) -> bool:
        """Whether the client need not hear of it if upstream fails now without a word."""
        if self.turn is None:
            return False
        return self.phase is not Phase.DELIVERING or goes_on(self.turn, self.traffic.carry(), self.service.clock())

    def opened(self) -> SocketStep:
        """The socket of the lease is there."""
        self.is_open, self.is_moving = True, False
        self.lease = replace(self.lease, at=self.service.clock())
        self.traffic.chain.moved()
        if self.turn is None:
            return Signal.WAIT
        asked = self.readied()
        return Put(asked) if len(asked) <= MOST_BYTES else self._reconnecting()

    def move(self) -> SocketStep:
        """Between two turns: to another account's socket if the owner has paused or removed this one's. WAIT if
        nobody else is there, or a turn is under way: its account serves it to the end."""
        now, lease, pool = self.service.clock(), self.lease, self.service.pool
        if self.turn is not None or not self.is_open or not is_out(pool, lease.key):
            return Signal.WAIT
        chosen = pool.select(self.service.permitted(self._ask, now), now)
        if not isinstance(chosen, Lease):
            return Signal.WAIT
        try:
            step = self.upgrades.ask(chosen)
        except credentials.OffItsRoute:
            return Signal.WAIT
        self.lease, self.is_open, self.is_moving = chosen, False, True
        return step

    # What follows

    def tell(self, event: events.Event, content: bytes = b"") -> SocketStep:
        """Tell the turn, and do what it says. `content` is the message with which upstream has refused."""
        turn, known = self._turn, len(self._turn.log.outcomes)
        step = turn.next(event, self.service.clock())
        if len(turn.log.outcomes) > known:
            self.service.failed(turn.log.leases[-1].account, turn.last)
        match step:
            case steps.Attempt():
                return self._attempt(step.lease)
            case steps.Wait():
                return Signal.WAIT
            case steps.Pause() | steps.Renew():
                self.awaited = step
                return Signal.AWAIT
            case steps.StripAndRetry():
                stripped = self.service.unseal(self.readied(), self.lease, self.service.clock())
                return self.tell(events.Stripped() if stripped else events.NothingStripped(), content)
            case steps.HandOver() if turn.verdict is None:
                self.turn = None  # nobody was asked: the turn begins on the next socket
                return Say(RECONNECT)
        told, done = self._told(step, content)
        self.over(events.Left(turn.last) if turn.verdict else _NOBODY_ASKED, done)
        return Say(told)

    def _attempt(self, lease: Lease) -> SocketStep:
        self.traffic.attempt(lease.account.account_id, continuing=self._continuing, now=self.service.steady())
        here, coming = (each and lease.key == self.lease.key for each in (self.is_open, self.is_moving))
        self.lease, self.is_moving = lease, False
        if coming:
            return Signal.WAIT
        if here:
            return Put(self.readied())
        self.is_open = False
        if stays(self._turn, self.service.clock()):
            return self._reconnecting()
        try:
            return self.upgrades.ask(lease)
        except credentials.OffItsRoute:
            return self.answered(answers.off_its_route())

    def _told(self, step: steps.Step, content: bytes) -> tuple[bytes, Done]:
        match step:
            case steps.HandOver():
                return RECONNECT, Done.RECONNECTS
            case steps.Complete():
                whole = completed(self.traffic.delivered)
                self.traffic.chain.ends(b"")
                self.is_open = False
                return whole, Done.COMPLETED
            case steps.Refuse():
                return answers.in_band(local_answers.response_to(step, self.service)), Done.OURS
            case steps.Deliver() | steps.Finish():
                refused = self.upgrades.words() if not content else None
                if refused is not None:
                    return answers.in_band(refused), Done.PASSED_ON
                return answers.with_status(content, self._turn.last.kind) or content, Done.PASSED_ON
            case _:
                raise AssertionError(f"{step} is not for an open socket")

    def answered(self, response: http.Response) -> SocketStep:
        """Nothing may be sent: an answer of ours ends the turn."""
        self.over(_NOBODY_ASKED, Done.OURS)
        return Say(answers.in_band(response))

    def _reconnecting(self) -> SocketStep:
        """The request cannot go to the socket that there is: the client comes with all of it."""
        self.over(_NOBODY_ASKED, Done.RECONNECTS)
        return Say(RECONNECT)

    def over(self, event: events.Ended | events.Left, done: Done, ending: bytes = b"") -> None:
        turn, now = self._turn, self.service.clock()
        turn.next(event, now)
        self.turn = None
        decided = turn.record(done, now)
        self.service.decided(decided.event)
        traffic = self.traffic
        self.noted(EndedTurn(decided, ending, traffic.purpose, turn.log, traffic.delivered, traffic.asked))
        self.traffic.forget()

    @property
    def _continuing(self) -> bool:
        return self.turn is not None and self.turn.tally.continued > 0

    def readied(self) -> bytes:
        """What the client has asked for, as the server of now can read it; of an answer that has died, what is
        missing."""
        if self._continuing:
            self.service.carries_on(self.traffic.delivered, self.lease)
        asked = self.traffic.request(self.lease.account.account_id, continuing=self._continuing)
        return self.service.readable(asked, self.lease)
