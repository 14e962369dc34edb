"""Sends news of views to the browsers that show them, as server-sent events.

A view is drawn once for all who see the same, as often as it is worth it, and sent when it has changed. Who does not
read gets nothing more until it has, and is let go of after a while: what waits for it is never more than one view.
"""

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from mitmproxy.utils import asyncio_utils

from addons.dashboard.contents import Subject

logger = logging.getLogger(__name__)

EVERY: Final[Mapping[str, float]] = {"turns": 1.0, "accounts": 2.0, "decisions": 5.0, "timeline": 10.0}
"""Seconds between two looks at a view."""
ALIVE_SECONDS: Final = 15.0
"""So long there is silence at most: a browser that hears nothing cannot tell whether anybody is there."""
STUCK_SECONDS: Final = 60.0
MOST_STREAMS: Final = 200
MOST_OF_ONE: Final = 3
"""Streams of one browser. It has six connections to a server in all, and one that waits for a seventh shows nothing;
whoever has to make room asks now and then instead."""
POLL: Final = b"event: poll\ndata: 3000\n\n"
"""Says so, with the milliseconds between two questions."""
ALIVE: Final = b": alive\n\n"
GOODBYE_SECONDS: Final = 0.5
_numbers = itertools.count()


class Stream(Protocol):
    """A browser that listens."""

    def send(self, said: bytes) -> Awaitable[None]:
        """Resolves when the browser's side has taken it. Raises what the connection does."""
        ...

    def allowed(self) -> bool:
        """Whether it may still see the view."""
        ...

    def browser(self) -> str:
        """What tells its browser from others."""
        ...

    def end(self) -> None: ...


class Listener:
    """One of them, and what it has not read yet."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.has: bytes = b""
        """The last view that was sent to it."""
        self.number = next(_numbers)
        self._sending: asyncio.Future[None] | None = None
        self._since = 0.0

    def offer(self, said: bytes, now: float) -> None:
        """Send it, unless what was sent before is not read yet: then the next one will do."""
        if self._sending is not None and not self._sending.done():
            if now - self._since > STUCK_SECONDS:
                self.stream.end()
            return
        if said != ALIVE:
            if said == self.has:
                return
            self.has = said
        elif now - self._since < ALIVE_SECONDS:
            return
        self._since = now
        self._sending = asyncio.ensure_future(self.stream.send(said))
        self._sending.add_done_callback(self._sent)

    def _sent(self, sending: "asyncio.Future[None]") -> None:
        if not sending.cancelled() and sending.exception() is not None:
            self.stream.end()


class Feed:
    """All who listen. `draw` gives a view; `clock` is a steady one."""

    def __init__(self, draw: Callable[[Subject], Awaitable[str]], clock: Callable[[], float]) -> None:
        self._draw = draw
        self._clock = clock
        self._topics: dict[Subject, set[Listener]] = {}
        self._tasks: dict[Subject, asyncio.Task[None]] = {}

    @property
    def is_full(self) -> bool:
        return sum(map(len, self._topics.values())) >= MOST_STREAMS

    def join(self, subject: Subject, stream: Stream) -> Listener:
        """From now on it hears of this view, and at once how it is."""
        listener = Listener(stream)
        self._make_room(stream.browser())
        self._topics.setdefault(subject, set()).add(listener)
        if subject in self._tasks:
            self._tasks.pop(subject).cancel()
        self._tasks[subject] = asyncio_utils.create_task(self._run(subject), name=f"page {subject.view}", keep_ref=True)
        return listener

    def _make_room(self, browser: str) -> None:
        """For one more stream of this browser: the one that has been there longest asks from now on."""
        mine = [each for known in self._topics.values() for each in known if each.stream.browser() == browser]
        for each in sorted(mine, key=lambda one: one.number)[: max(0, len(mine) - MOST_OF_ONE + 1)]:
            each.offer(POLL, self._clock())
            asyncio.get_running_loop().call_later(GOODBYE_SECONDS, each.stream.end)

    def leave(self, subject: Subject, listener: Listener) -> None:
        known = self._topics.get(subject, set())
        known.discard(listener)
        if not known:
            self._topics.pop(subject, None)
            if task := self._tasks.pop(subject, None):
                task.cancel()

    def close(self) -> None:
        """Nobody hears anything any more."""
        for task in self._tasks.values():
            task.cancel()
        for listeners in self._topics.values():
            for each in tuple(listeners):
                each.stream.end()
        self._tasks.clear()
        self._topics.clear()

    async def _run(self, subject: Subject) -> None:
        while subject in self._topics:
            try:
                said = event(await self._draw(subject))
            except Exception as e:  # noqa: BLE001 - one look that fails must not be the last
                logger.debug("codex-rotate: a view of the page could not be drawn: %s", e)
                said = ALIVE
            now = self._clock()
            for each in tuple(self._topics.get(subject, ())):
                if not each.stream.allowed():
                    each.stream.end()
                    continue
                each.offer(said, now)
                each.offer(ALIVE, now)
            await asyncio.sleep(EVERY[subject.view])


def event(html: str) -> bytes:
    """A view as an event of the stream."""
    return f"event: part\ndata: {json.dumps(html)}\n\n".encode()
