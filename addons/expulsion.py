"""Ends what clients have open that may not use the proxy any more: their key was taken back, or the first one was made.

A request is judged when it comes (`clients.py`). A WebSocket goes on without one, and a tunnel is not looked into: so
somebody has to look. A turn that is under way ends as it would have; its socket is closed behind it. What is the
client's own, and may go on for ever, is cut off. In its next connection the client is told why.
"""

import asyncio
from typing import Final

from mitmproxy import ctx
from mitmproxy.utils import asyncio_utils

from addons.attempts.client_connections import ClientConnections
from addons.clients import Clients
from addons.draining import Running
from addons.wire import answers

LOOK_SECONDS: Final = 0.25
"""Between two looks. What has no turn is closed at the second one, so that last words have left: in half a second."""


class Expulsion:
    """One task, as long as the proxy runs."""

    def __init__(self, clients: Clients, running_now: Running) -> None:
        self.clients = clients
        self.running_now = running_now
        self.task: asyncio.Task[None] | None = None

    def running(self) -> None:
        self.task = asyncio_utils.create_task(self._keep(), name="expulsion", keep_ref=True)

    def done(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None

    async def _keep(self) -> None:
        idle: set[str] = set()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                idle = self._look(idle)
            except Exception as e:  # noqa: BLE001 - to look must go on
                answers.log_defect("looking after clients whose key is gone failed", e)

    def _look(self, idle_before: set[str]) -> set[str]:
        """Close what had no turn at the last look either. What is to be closed at the next one, if it has none then."""
        unwelcome = self.clients.unwelcome()
        idle = unwelcome & self.running_now.without_turn
        connections = ClientConnections(ctx.master.addons.get("proxyserver"))
        for each in idle & idle_before:
            connections.close(each, "the client may not use the proxy any more")
        return idle
