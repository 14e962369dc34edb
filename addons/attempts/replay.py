"""What mitmproxy plays again goes through our streams too.

mitmproxy's client replay makes an HTTP layer of its own for each request and asks no hook about it. So the class that
it makes them with is ours as long as the addon is loaded. See stream.py and docs/mitmproxy.md.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import http
from mitmproxy.addons import clientplayback
from mitmproxy.options import Options

from addons.attempts import connections, stream
from addons.attempts.protocol import Find


class Replays:
    """Serves replayed requests by the exchanges that `find` names, once `ready` has come to its end. `lead` has their
    layers, with the client's connection, take the way to the internet."""

    def __init__(self, find: Find, ready: Callable[[], Awaitable[object]], lead: Callable[[Any, Any], object]) -> None:
        self.find = find
        self.ready = ready
        self.lead = lead
        self.playing: set[str] = set()
        """The flows that are played by us. Another replay has to be refused: it would go past the pool."""
        self._theirs = clientplayback.ReplayHandler

    def take_over(self) -> None:
        replays = self

        class Handler(clientplayback.ReplayHandler):
            def __init__(self, flow: http.HTTPFlow, options: Options) -> None:
                super().__init__(flow, options)
                stream.install(self.layer, replays.find)
                connections.lift_limit_of(self)
                replays.lead(self.layer, self.client)
                flow.server_conn.via = self.layer.context.server.via  # not the way that it has once gone

            async def replay(self) -> None:
                await replays.ready()
                replays.playing.add(self.flow.id)
                try:
                    await super().replay()
                finally:
                    replays.playing.discard(self.flow.id)

        self._theirs = clientplayback.ReplayHandler
        clientplayback.ReplayHandler = Handler  # type: ignore[misc]

    def give_back(self) -> None:
        clientplayback.ReplayHandler = self._theirs  # type: ignore[misc]
