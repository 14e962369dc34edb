"""Ends the proxy without cutting off a turn: what runs is finished, within bounds, and nothing new is taken.

The port is free at once, so that another proxy can take it while this one finishes. Clients come back by themselves:
a connection is closed when nothing runs on it, and a WebSocket after its turn, which the official client does not mind
(docs/codex-wire.md section 1.2).
"""

import asyncio
import logging
import math
import os
import signal
from collections.abc import Iterator
from typing import Final

from mitmproxy import connection, ctx, http, tls
from mitmproxy.utils import asyncio_utils

from addons.attempts.client_connections import ClientConnections, go_away
from addons.discovery import Discovery
from addons.exchange.passthrough import Passthrough
from addons.exchange.pooled import PooledRequest
from addons.rotator import Rotator, SocketRotator
from config import clock

logger = logging.getLogger(__name__)

TURN_SECONDS: Final = 600.0
"""How long turns may take to end."""
OTHER_SECONDS: Final = 3.0
"""How long the client's own requests may: they are short, or a stream that never ends by itself."""
LOOK_SECONDS: Final = 0.05
TOLD_SECONDS: Final = 1.0
"""How often other commands are told that this proxy still waits."""
FAREWELL_LOOKS: Final = 200
"""What the last bytes get to leave: a second."""
SAME_SECONDS: Final = 0.5
"""Signals so close together are one: a terminal, a supervisor and `serve` each pass the same one on."""
SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class Running:
    """What is under way, and on which connections."""

    def __init__(self, rotator: Rotator, sockets: SocketRotator) -> None:
        self.rotator = rotator
        self.sockets = sockets
        self.unread: set[str] = set()
        """Connections that carry what we do not look into, which may be busy at any time."""
        self.socket_clients: dict[str, str] = {}
        """The connection of each socket that the pool serves, by its flow."""

    @property
    def turns(self) -> int:
        """How many answers of models are on their way to a client."""
        asked = (each for each in self._exchanges() if isinstance(each, PooledRequest))
        return sum(not (each.turn.upgrade or each.turn.ask.steady) for each in asked) + len(list(self._busy_sockets()))

    @property
    def busy(self) -> set[str]:
        """The connections on which a request or a turn is under way."""
        return {each.flow.client_conn.id for each in self._exchanges()} | set(self._busy_sockets())

    @property
    def idle(self) -> set[str]:
        """The connections that can be closed without taking anything from anybody."""
        return set(_connections()) - self.busy - self.unread

    @property
    def without_turn(self) -> set[str]:
        """The connections on which something is open, or the client's own is under way, and no request of the pool."""
        turns = {each.flow.client_conn.id for each in self._exchanges() if isinstance(each, PooledRequest)}
        own = {each.flow.client_conn.id for each in self._exchanges() if not isinstance(each, PooledRequest)}
        return (self.unread | set(self.socket_clients.values()) | own) - turns - set(self._busy_sockets())

    def _exchanges(self) -> Iterator[Passthrough | PooledRequest]:
        alive = set(_connections())
        return (each for each in self.rotator.exchanges.values() if each.flow.client_conn.id in alive)

    def _busy_sockets(self) -> Iterator[str]:
        for flow_id, client in self.socket_clients.items():
            socket = self.sockets.sockets.get(flow_id)
            if socket is not None and socket.active:
                yield client


class Draining:
    """Decides how this proxy ends when it is told to: one per proxy.

    The first signal lets it finish, a second one ends it at once. mitmproxy's console asks before it ends; there an
    interrupt stays its own.
    """

    def __init__(self, presence: Discovery, rotator: Rotator, sockets: SocketRotator) -> None:
        self.presence = presence
        self.running_now = Running(rotator, sockets)
        self.sockets = sockets
        self.task: asyncio.Task[None] | None = None
        self._asked_at = -math.inf
        self._terminal: list[int] = []

    def running(self) -> None:
        self._terminal = [number for number in (0, 1, 2) if os.isatty(number)]
        for name in SIGNALS:
            number = getattr(signal, name, None)
            own = name == "SIGINT" and hasattr(ctx.master, "prompt_for_exit")
            if number is not None and not own and signal.getsignal(number) is not signal.SIG_IGN:
                self._listen(number)

    # What passes by

    def http_connect(self, flow: http.HTTPFlow) -> None:
        self.running_now.unread.add(flow.client_conn.id)

    def tls_established_client(self, data: tls.TlsData) -> None:
        self.running_now.unread.discard(data.context.client.id)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self.task is not None:
            go_away(flow.client_conn)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if self.task is not None and response is not None and response.status_code != 101 and not flow.request.is_http2:
            response.headers["connection"] = "close"

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        if flow.id in self.sockets.sockets:
            self.running_now.socket_clients[flow.id] = flow.client_conn.id
        else:
            self.running_now.unread.add(flow.client_conn.id)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self.running_now.socket_clients.pop(flow.id, None)

    def client_disconnected(self, client: connection.Client) -> None:
        self.running_now.unread.discard(client.id)

    # What follows from a signal

    def _listen(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(number, self._asked)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._asked))

    def _asked(self) -> None:
        self._leave_terminal()
        now = clock.monotonic()
        if now - self._asked_at < SAME_SECONDS:
            return
        self._asked_at = now
        if self.task is None:
            self.task = asyncio_utils.create_task(self._drain(), name="draining", keep_ref=True)
            return
        logger.warning("codex-rotate: told to stop once more: %s cut off", _counted(self.running_now.turns))
        ctx.master.shutdown()

    def _leave_terminal(self) -> None:
        """If it is gone: mitmproxy ends at once when it cannot print a line of its log."""
        for number in self._terminal:
            if not os.isatty(number):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, number)
                os.close(nowhere)

    async def _drain(self) -> None:
        try:
            self.sockets.leaving = True
            ctx.options.update(server=False)  # closes the listeners, and no connection
            await self._finish()
            await self._say_goodbye()
        finally:  # whatever goes wrong, whoever asked for the end gets it
            ctx.master.shutdown()

    async def _finish(self) -> None:
        """Wait for what runs, and close what is idle meanwhile."""
        began = clock.monotonic()
        idle: set[str] = set()
        told, told_at = 0, -math.inf
        while (turns := self.running_now.turns) or self.running_now.busy:
            waited = clock.monotonic() - began
            if waited > TURN_SECONDS:
                logger.warning("codex-rotate: %s cut off after %.0f s", _counted(turns), waited)
            if waited > (TURN_SECONDS if turns else OTHER_SECONDS):
                return
            if turns > told:
                logger.warning(
                    "codex-rotate: waiting for %s to end; stop once more to end at once", _counted(turns, being="")
                )
            if turns != told or waited - told_at > TOLD_SECONDS:
                self.presence.leaves(turns)
                told, told_at = turns, waited
            idle = self._close_idle(idle)
            await asyncio.sleep(LOOK_SECONDS)  # also after the last turn: its end leaves right after its hook

    def _close_idle(self, before: set[str]) -> set[str]:
        """Close what was idle at the last look too: what has just become so may still have bytes to send."""
        idle = self.running_now.idle
        for each in before & idle:
            _connections().close(each)
        return idle - before

    async def _say_goodbye(self) -> None:
        for each in self.running_now.idle:
            _connections().close(each)
        for _ in range(FAREWELL_LOOKS):
            if not self.running_now.idle:
                return
            await asyncio.sleep(LOOK_SECONDS / 10)


def _connections() -> ClientConnections:
    return ClientConnections(ctx.master.addons.get("proxyserver"))


def _counted(turns: int, being: str | None = None) -> str:
    """`1 turn was`, `2 turns were`."""
    verb = being if being is not None else " was" if turns == 1 else " were"
    return f"{turns} turn{'' if turns == 1 else 's'}{verb}"
