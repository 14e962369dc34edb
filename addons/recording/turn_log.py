"""A line in the log for each turn that is over. A turn is a request, on a socket a `response.create`.

One that the client was told to take on another socket is the same turn still: its line comes when that one is over, or
when nobody has come back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from mitmproxy import connection, http

from accounts.choice.decision_record import read_record
from accounts.choice.outcomes import Kind
from accounts.ledger.ports import TurnLedger
from accounts.ledger.records import NO_TOKENS, TokenCount, TurnKind, TurnOutcome, TurnRecord
from accounts.model import Event
from accounts.requests.identity import TURN_METADATA
from addons.recording import annotations
from addons.recording.turn_line import WARM_UP, Asked, Told, client_name, has_failed, line, purpose_of, tokens_in
from addons.wire import messages

logger = logging.getLogger(__name__)

BACK_SECONDS: Final = 30.0
"""How long a client that was told to reconnect has for it until its turn is told as it is."""
MOST_AWAY: Final = 1000
REPLAY: Final = "replay"
"""Who asks when mitmproxy plays a request again."""


class EndedTurn(NamedTuple):
    """A turn that is over: its decision record, upstream's last event (empty: there was none), and what it was for if
    it is no turn of the user's."""

    record: Event
    event: bytes = b""
    purpose: str = ""


type Noted = Callable[[EndedTurn], object]


def unheard(_: EndedTurn) -> None:
    """For where nobody wants to know."""


class TurnLog:
    """Writes the lines, and hands a record of each turn to every ledger. `name` knows the name of a connection's client
    key."""

    def __init__(self, name: Callable[[connection.Client], str], *ledgers: TurnLedger) -> None:
        self.name = name
        self.ledgers = ledgers
        self._away: dict[str, tuple[Told, asyncio.TimerHandle]] = {}
        """By its thread what belongs to the line of the next turn: failed attempts of the same turn on another socket,
        or of what came before it."""

    def request_over(self, flow: http.HTTPFlow, ended: EndedTurn) -> None:
        """A request is over. An upgrade is no turn; it is told when none can follow."""
        asked = _asked(flow)
        if not messages.is_upgrade(flow.request) or _is_lost(asked, ended):
            purpose = purpose_of(flow.request.path, flow.request.headers.get(TURN_METADATA))
            self._over(flow, ended._replace(purpose=purpose), asked)

    def turn_over(self, flow: http.HTTPFlow, ended: EndedTurn) -> None:
        """A turn on a socket is over. The first one begins with those who did not open the socket."""
        first = len(flow.metadata.get(f"{annotations.PREFIX}turns", ())) <= 1
        refused = [each for each in _asked(flow) if has_failed(each)] if first else []
        recorded = [(each.account, 0, each.kind) for each in read_record(ended.record).attempts]
        self._over(flow, ended, (*refused, *recorded))

    def done(self) -> None:
        for thread in tuple(self._away):
            self._give_up(thread)

    def _over(self, flow: http.HTTPFlow, ended: EndedTurn, asked: tuple[Asked, ...]) -> None:
        record, header = read_record(ended.record), flow.request.headers.get
        told = Told(
            client=REPLAY if flow.is_replay else client_name(self.name(flow.client_conn), header),
            thread=ended.record.thread,
            model=record.model,
            asked=asked,
            nobody=f"{annotations.PREFIX}nobody" in flow.metadata and record.done == annotations.OURS,
            done=record.done,
            seconds=record.seconds,
            purpose=ended.purpose,
            began=ended.record.at - record.seconds,
            rule=record.rule,
        )
        try:
            asyncio.get_running_loop().call_soon(self._tell, told, ended)  # behind the answer: nobody waits for it
        except RuntimeError:  # nothing runs that could come back to it
            _write(told)

    def _tell(self, told: Told, ended: EndedTurn) -> None:
        told = replace(told, tokens=tokens_in(ended.event))
        self._keep(told, ended)
        if told.thread in self._away:
            before, timer = self._away.pop(told.thread)
            timer.cancel()
            began = before.began if before.done == annotations.RECONNECTS and not before.purpose else told.began
            told = replace(told, asked=before.asked + told.asked, began=began, seconds=ended.record.at - began)
        if told.done != annotations.RECONNECTS:
            _write(told)
        failed = tuple(each for each in told.asked if has_failed(each))
        goes_on = told.done == annotations.RECONNECTS or told.purpose == WARM_UP
        if failed and goes_on and told.thread and len(self._away) < MOST_AWAY:
            timer = asyncio.get_running_loop().call_later(BACK_SECONDS, self._give_up, told.thread)
            self._away[told.thread] = replace(told, asked=failed), timer

    def _keep(self, told: Told, ended: EndedTurn) -> None:
        record = read_record(ended.record)
        outcome = TurnOutcome.SERVED
        if told.done in {annotations.OURS, annotations.RECONNECTS}:
            outcome = TurnOutcome.REFUSED if told.done == annotations.OURS else TurnOutcome.RECONNECTED
        used = told.tokens
        kept = TurnRecord(
            when=ended.record.at,
            person=record.person,
            client_key=record.client_key,
            thread=told.thread,
            model=told.model,
            kind=TurnKind(told.purpose or TurnKind.TURN),
            outcome=outcome,
            rule=record.rule,
            tokens=TokenCount(input=used.given or 0, output=used.made or 0) if used is not None else NO_TOKENS,
        )
        for each in self.ledgers:
            each.add(kept)

    def _give_up(self, thread: str) -> None:
        told, timer = self._away.pop(thread)
        timer.cancel()
        if told.done == annotations.RECONNECTS:
            _write(told)


def _write(told: Told) -> None:
    level = logging.DEBUG if told.purpose else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, "%s", line(told))


def _asked(flow: http.HTTPFlow) -> tuple[Asked, ...]:
    attempts = flow.metadata.get(f"{annotations.PREFIX}attempts", ())
    return tuple((str(each["account"]), int(each["status"]), str(each["kind"])) for each in attempts)


def _is_lost(asked: tuple[Asked, ...], ended: EndedTurn) -> bool:
    """Whether no socket came of an upgrade, for a reason that somebody may want to know."""
    if any(kind == Kind.UPGRADED for _, _, kind in asked):
        return False
    refused = any(has_failed(each) and each[2] != Kind.UPGRADE_REFUSED for each in asked)
    return refused or read_record(ended.record).done == annotations.OURS
