"""The turns that are under way in this proxy, over both transports: a request over HTTP, on a socket each of its own.

Nothing is kept of them here but their projects. What there is to say is read from the running exchanges when somebody
asks, so that a turn costs nothing for it and is gone when its exchange is.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from mitmproxy import http

from accounts.continuing.delivered import DeliveredAnswer
from accounts.ledger.projects import project_of
from accounts.ledger.records import Transport
from accounts.people.keys import LOCAL
from accounts.requests import identity
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from accounts.views.live_turns import LiveTurn
from addons.exchange.pooled import PooledRequest
from addons.recording.turn_records import model_in
from addons.rotator import Rotator, SocketRotator

_ASKED: Final = frozenset({Phase.RENEWING_FIRST, Phase.ASKING, Phase.DELIVERING})
"""While an attempt is under way that the turn's log does not have yet."""


class LiveTurns:
    """Of one proxy; for its event loop only."""

    def __init__(self, rotator: Rotator, sockets: SocketRotator) -> None:
        self._rotator = rotator
        self._sockets = sockets
        self._projects: dict[str, str] = {}
        """Of the turns that were under way at the last look, by their ids: to find it out takes longest."""

    def now(self) -> tuple[LiveTurn, ...]:
        """All of them, the oldest first."""
        found = [*self._over_http(), *self._on_sockets()]
        self._projects = {each.id: each.project for each in found}
        return tuple(sorted(found, key=lambda each: each.began))

    def _over_http(self) -> Iterator[LiveTurn]:
        for number, exchange in self._rotator.exchanges.items():
            if not isinstance(exchange, PooledRequest):
                continue
            turn, delivery = exchange.turn, exchange.delivery
            no_turn = turn.upgrade or turn.ask.steady or turn.phase is Phase.OVER
            if no_turn or exchange.flow.client_conn.timestamp_end is not None:
                continue
            delivered = delivery.carrying.delivered
            yield self._live(number, turn, exchange.flow.request, delivered, received=delivery.capture.total)

    def _on_sockets(self) -> Iterator[LiveTurn]:
        for socket_id, socket in self._sockets.sockets.items():
            turns, turn = socket.turns, socket.turns.turn
            if turn is None or self._sockets.clients[socket_id].timestamp_end is not None:
                continue
            number, traffic = f"{socket_id}-{turn.began:.3f}", turns.traffic
            request, asked = turns.upgrades.request, traffic.asked
            yield self._live(number, turn, request, traffic.delivered, received=traffic.given, asked=asked)

    def _live(  # noqa: PLR0913 - all that is known of one
        self,
        number: str,
        turn: Turn,
        request: http.Request,
        delivered: DeliveredAnswer,
        *,
        received: int,
        asked: bytes | None = None,
    ) -> LiveTurn:
        """`asked` is the message of a turn on a socket, None for one over HTTP."""
        ask, log = turn.ask, turn.log
        project = self._projects.get(number)
        if project is None:
            project = _project(request, asked or b"")
        keys = [each.key for each in log.leases]
        if turn.phase in _ASKED and turn.lease is not None:
            keys.append(turn.lease.key)
        return LiveTurn(
            id=number,
            began=turn.began,
            person=ask.person or ("" if ask.client == LOCAL else ask.client),
            project=project,
            thread=ask.thread,
            model=ask.model or model_in(delivered.head),
            account=turn.lease.account.label if turn.lease is not None else "",
            transport=str(Transport.HTTP if asked is None else Transport.WEBSOCKET),
            attempts=len(keys),
            rotations=sum(one != other for one, other in pairwise(keys)),
            received=received,
            first_output=max(0.0, log.answered_at - turn.began) if log.answered_at is not None else None,
        )


def _project(request: http.Request, asked: bytes) -> str:
    """As the ledger has it: by what the message says, or else the head."""
    metadata = identity.metadata_in(asked) if asked else ""
    return project_of(metadata or request.headers.get(identity.TURN_METADATA, ""))
