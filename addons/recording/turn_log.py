"""A line in the log for each turn that is over. A turn is a request, on a socket a `response.create`.

One that the client was told to take on another socket is the same turn still: its line comes when that one is over, or
when nobody has come back.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from mitmproxy import connection, http

from accounts.choice.outcomes import Kind
from accounts.ledger.ports import TurnLedger
from accounts.ledger.records import NO_TOKENS, TurnRecord
from accounts.requests.identity import TURN_METADATA
from addons.recording import annotations
from addons.recording.ended_turn import EndedTurn
from addons.recording.turn_line import WARM_UP, Asked, Told, client_name, has_failed, line, purpose_of
from addons.recording.turn_records import Asking, TurnRecords, spent
from addons.wire import messages
from addons.wire.answers import log_defect

logger = logging.getLogger(__name__)

BACK_SECONDS: Final = 30.0
"""How long a client that was told to reconnect has for it until its turn is told as it is."""
MOST_AWAY: Final = 1000
BEHIND_SECONDS: Final = 0.05
"""So late at most a turn is told: several in a row take a fraction of the time."""
MOST_BEHIND: Final = 64
REPLAY: Final = "replay"
"""Who asks when mitmproxy plays a request again."""


class Over(NamedTuple):
    """What is known of a turn when it is over."""

    told: Told
    ended: EndedTurn
    asking: Asking


class Parked(NamedTuple):
    """What belongs to the line of a thread's next turn, the timer that stops waiting for that, and the record that is
    kept if it does not come."""

    told: Told
    timer: asyncio.TimerHandle
    record: TurnRecord | None


class TurnLog:
    """Writes the lines, and hands a record of each turn to every ledger. `name` knows the name of a connection's client
    key."""

    def __init__(self, name: Callable[[connection.Client], str], *ledgers: TurnLedger) -> None:
        self.name = name
        self.ledgers = ledgers
        self.records = TurnRecords()
        self._behind: list[Over] = []
        """Turns that are not told yet."""
        self._away: dict[str, Parked] = {}
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
        recorded = [(each.account, 0, each.kind) for each in ended.decided.record.attempts]
        self._over(flow, ended, (*refused, *recorded))

    def done(self) -> None:
        self.tell_now()
        for thread in tuple(self._away):
            self._give_up(thread)

    def _over(self, flow: http.HTTPFlow, ended: EndedTurn, asked: tuple[Asked, ...]) -> None:
        record, header = ended.decided.record, flow.request.headers.get
        key = self.name(flow.client_conn)
        if who := record.person or key:
            flow.metadata[annotations.PERSON] = who
        told = Told(
            client=REPLAY if flow.is_replay else client_name(key, header),
            thread=ended.decided.event.thread,
            model=record.model,
            asked=asked,
            nobody=f"{annotations.PREFIX}nobody" in flow.metadata and record.done == annotations.OURS,
            done=record.done,
            seconds=record.seconds,
            purpose=ended.purpose,
            began=ended.decided.event.at - record.seconds,
            rule=record.rule,
        )
        asking = Asking.of(flow.request, record, key)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nothing runs that could come back to it
            _write(told)
            return
        self._behind.append(Over(told, ended, asking))
        if len(self._behind) == 1:  # behind the answer: nobody waits for it
            loop.call_later(BEHIND_SECONDS, self.tell_now)
        elif len(self._behind) >= MOST_BEHIND:
            loop.call_soon(self.tell_now)

    def tell_now(self) -> None:
        """Tell what is over, before anybody asks what there was."""
        behind, self._behind = self._behind, []
        for each in behind:
            try:
                self._tell(each)
            except Exception as e:  # noqa: BLE001 - others than its client may be the ones who ask
                log_defect("a turn is not told", e)

    def _tell(self, over: Over) -> None:
        told, ended, asking = over
        shown, tokens = spent(ended)
        told = told._replace(tokens=shown)
        if told.thread in self._away:
            before = self._away.pop(told.thread)
            before.timer.cancel()
            same = before.told.done == annotations.RECONNECTS and not before.told.purpose
            began = before.told.began if same else told.began
            told = told._replace(
                asked=before.told.asked + told.asked, began=began, seconds=ended.decided.event.at - began
            )
            tokens += before.record.tokens if same and before.record is not None else NO_TOKENS
        record = self.records.of(told, ended, asking, tokens)
        if told.done != annotations.RECONNECTS:
            _write(told)
            self._keep(record)
        failed = tuple(each for each in told.asked if has_failed(each))
        goes_on = told.done == annotations.RECONNECTS or told.purpose == WARM_UP
        if failed and goes_on and told.thread and len(self._away) < MOST_AWAY:
            timer = asyncio.get_running_loop().call_later(BACK_SECONDS, self._give_up, told.thread)
            self._away[told.thread] = Parked(told._replace(asked=failed), timer, record)

    def _give_up(self, thread: str) -> None:
        told, timer, record = self._away.pop(thread)
        timer.cancel()
        if told.done == annotations.RECONNECTS:
            _write(told)
            self._keep(record)

    def _keep(self, record: TurnRecord | None) -> None:
        if record is not None:
            for ledger in self.ledgers:
                ledger.add(record)


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
    return refused or ended.decided.record.done == annotations.OURS
