"""Sockets of clients that ask for nothing now, and whose account was paused or removed: each gets another one's behind
it, and its client hears nothing of that. A turn that is under way ends where it is."""

import asyncio
from typing import Final

from mitmproxy import ctx, http
from mitmproxy.utils import asyncio_utils

from accounts.turn.sockets import is_out
from addons.attempts.client_connections import ClientConnections
from addons.rotator import SocketRotator
from addons.startup import Startup
from addons.wire import answers

LOOK_SECONDS: Final = 0.25
"""Between two looks."""


class IdleSockets:
    """One task, as long as the proxy runs."""

    def __init__(self, startup: Startup, sockets: SocketRotator) -> None:
        self.startup = startup
        self.sockets = sockets
        self.flows: dict[str, http.HTTPFlow] = {}
        self.asked: dict[str, str] = {}
        """Of each socket the account that it was to leave last: who cannot is not asked again and again."""
        self.task: asyncio.Task[None] | None = None

    def running(self) -> None:
        self.task = asyncio_utils.create_task(self._keep(), name="idle sockets", keep_ref=True)

    def done(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        if flow.id in self.sockets.sockets:
            self.flows[flow.id] = flow

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self.flows.pop(flow.id, None)
        self.asked.pop(flow.id, None)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._look()
            except Exception as e:  # noqa: BLE001 - to look must go on
                answers.log_defect("looking after idle sockets failed", e)

    def _look(self) -> None:
        service = self.startup.service
        if service is None or not self.flows:
            return
        service.sync()
        connections = ClientConnections(ctx.master.addons.get("proxyserver"))
        for number, flow in self.flows.items():
            socket = self.sockets.sockets.get(number)
            if socket is None or socket.active:
                continue
            key = socket.turns.lease.key
            if self.asked.get(number) != key and is_out(service.pool, key):
                self.asked[number] = key
                connections.leave_upstream(flow)
