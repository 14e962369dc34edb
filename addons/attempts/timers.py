"""One timer for all attempts on a client's connection, and for the connections that are opened for them.

mitmproxy's timers cannot be cancelled, and each is a task until it fires: with one per attempt, thousands of answered
requests would wait for it. Here a timer is asked for only if none fires earlier; what is due then is looked up.

Leans on mitmproxy's internals as stream.py does; see there and docs/mitmproxy.md.
"""

import weakref
from typing import Any, Protocol

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as h

from config import clock


class Sleeper(Protocol):
    """What waits for a timer of its own: a stream, or a connection that is being opened."""

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]: ...


class AttemptWakeup(commands.RequestWakeup):
    """What a stream is told when its attempt is overdue, and a connection when it takes too long to open. Not asked of
    mitmproxy: see `Timers.schedule`."""

    def __init__(self, delay: float, stream: Sleeper) -> None:
        super().__init__(delay)
        self.stream = weakref.ref(stream)


class SharedWakeup(commands.RequestWakeup):
    """The timer that mitmproxy knows of. `due` is when it fires, in seconds of the monotonic clock."""

    def __init__(self, delay: float, due: float) -> None:
        super().__init__(delay)
        self.due = due


class Timers:
    """Stands where mitmproxy expects the stream that has asked for a timer, and hands on to the right one."""

    def __init__(self, http_layer: h.HttpLayer) -> None:
        self._layer = http_layer
        self._waiting: dict[int, tuple[float, AttemptWakeup]] = {}
        """When each stream is to be woken, by its identity: it must not be kept until then."""
        self._next: SharedWakeup | None = None
        self._asked: dict[commands.Command, Any] = {}
        """Whose a command is that somebody woken by us has sent, until it is answered."""

    def schedule(self, wakeup: AttemptWakeup) -> layer.CommandGenerator[None]:
        """Wake who waits in `wakeup.delay` seconds; a time that it has set before is forgotten."""
        now = clock.monotonic()
        self._waiting[id(wakeup.stream())] = (now + wakeup.delay, wakeup)
        yield from self._until(now + wakeup.delay, now)

    def forget(self, stream: Sleeper) -> None:
        """It is over."""
        self._waiting.pop(id(stream), None)

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        command = event.command if isinstance(event, events.CommandCompleted) else None
        if isinstance(command, SharedWakeup):
            if command is self._next:  # else an earlier one has taken its place
                yield from self._fire(command)
        elif command in self._asked:
            yield from self._told(self._asked.pop(command), event)

    def _fire(self, shared: SharedWakeup) -> layer.CommandGenerator[None]:
        self._next = None
        for number, (due, wakeup) in list(self._waiting.items()):
            stream = wakeup.stream()
            if due > shared.due and stream is not None:
                continue
            if self._waiting.pop(number, None) is not None and stream is not None:  # else it is over since
                yield from self._told(stream, events.Wakeup(wakeup))
        if self._waiting:
            yield from self._until(min(due for due, _ in self._waiting.values()), shared.due)

    def _until(self, due: float, now: float) -> layer.CommandGenerator[None]:
        if self._next is None or due < self._next.due:
            self._next = shared = SharedWakeup(due - now, due)
            yield shared
            # mitmproxy has noted who asked: a stream that may be over long before. It must not be kept until then.
            self._layer.command_sources[shared] = self  # type: ignore[assignment]

    def _told(self, stream: Any, event: events.Event) -> layer.CommandGenerator[None]:
        for command in stream.handle_event(event):
            if command.blocking or isinstance(command, commands.RequestWakeup):
                self._asked[command] = stream
            yield command
