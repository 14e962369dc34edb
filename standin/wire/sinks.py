"""Where an answer goes, and how a fault shows there: as HTTP, or as messages on a WebSocket."""

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass

from standin.exchange import Exchange, Socket
from standin.faults import Action, Fault
from standin.pace import pause
from standin.records import Headers, Record
from standin.replies import Reply
from standin.responses import Event, sse
from standin.state import State
from standin.wire.codings import CODERS, Coder

_READING_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What acting on a fault needs to know of the request it strikes. `late_end` is how many seconds after the last
    event of an event stream its end comes."""

    state: State
    record: Record
    ticket: int
    plan: str = ""
    late_end: float = 0.0


class Sink(ABC):
    """The receiving end of an answer."""

    def __init__(self, stage: Stage, exchange: Exchange) -> None:
        self.stage = stage
        self.parting = False
        self._exchange = exchange

    @abstractmethod
    async def event(self, event: Event) -> None:
        """Send an event."""

    @abstractmethod
    async def refuse(self, reply: Reply) -> None:
        """Answer with an error, in whatever way is still possible."""

    @abstractmethod
    async def truncate(self) -> None:
        """End properly as far as the transport is concerned, whatever is missing."""

    @abstractmethod
    async def finish(self) -> None:
        """All events were sent."""

    @abstractmethod
    async def close_with(self, code: int) -> None:
        """A close frame, where there are frames."""

    async def act(self, fault: Fault) -> bool:
        """Let a fault strike here; True if the answer goes on after it."""
        stage = self.stage
        match fault.rule.action:
            case Action.HOLD:
                await stage.state.hold(stage.ticket)
                return True
            case Action.DELAY:
                await stage.state.tempo.pause(fault.delay)
                return True
            case Action.DRESS:
                return True
            case Action.PART:
                self.parting = True
                return True
            case Action.REPLY:
                await self.refuse(fault.reply(stage.plan, stage.state.clock()))
            case Action.EVENT:
                await self.event(fault.event(stage.plan, stage.state.clock()))
                await self.finish()
            case Action.CLOSE_FRAME:
                await self.close_with(fault.close_with)
            case Action.END:
                await self.truncate()
            case Action.RESET | Action.CLOSE | Action.STREAM_RESET | Action.GOAWAY as way:
                return await self._cut(way)
        return False

    async def _cut(self, way: Action) -> bool:
        if way is Action.GOAWAY and self._exchange.survives_goaway:
            await self._exchange.go_away()
            return True
        if way in {Action.RESET, Action.STREAM_RESET} and self._exchange.started:
            # a reset throws away what the peer's system has received and the peer has not read yet
            await asyncio.sleep(_READING_SECONDS)
        # our own doing: what the client does next must not count as its leaving early
        self.stage.state.update(self.stage.record, closed=True)
        if way is Action.RESET:
            self._exchange.reset()
        elif way is Action.STREAM_RESET:
            await self._exchange.reset_stream()
        elif way is Action.GOAWAY:
            await self._exchange.go_away()
        else:
            await self._exchange.close()
        return False


class HttpSink(Sink):
    """The response to one HTTP request; `begin` sends its head."""

    _coder: Coder | None = None

    async def begin(self, status: int, headers: Headers, coding: str | None = None) -> None:
        """Send the head; events or data follow, in this content coding."""
        if coding is not None:
            self._coder = CODERS[coding]()
            headers = (*headers, ("content-encoding", coding))
        self.stage.state.update(self.stage.record, status=status)
        await self._exchange.start(status, headers)

    async def event(self, event: Event) -> None:
        # only the WebSocket's wrapped errors carry a status
        await self.data(sse({key: value for key, value in event.items() if key != "status"}))

    async def data(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self._exchange.send(self._coder.code(data) if self._coder else data)

    async def refuse(self, reply: Reply) -> None:
        if self._exchange.started:
            await self.event(reply.in_band())
            await self.finish()
        else:
            self.stage.state.update(self.stage.record, status=reply.status)
            await self._exchange.reply(reply)

    async def close_with(self, code: int) -> None:
        raise TypeError("an HTTP answer has no close frame")

    async def truncate(self) -> None:
        if self._coder is not None:
            await self._exchange.send(self._coder.finish())
        await self._exchange.end()
        if self.parting:
            await self._exchange.go_away()

    async def finish(self) -> None:
        if self.stage.late_end > 0:
            self.stage.state.update(self.stage.record, busy=False)  # a client that has it all may leave
            await pause(self.stage.late_end)
        await self.truncate()


class SocketSink(Sink):
    """The answer to one message on a WebSocket."""

    def __init__(self, stage: Stage, exchange: Exchange, socket: Socket) -> None:
        super().__init__(stage, exchange)
        self._socket = socket

    async def event(self, event: Event) -> None:
        await self._socket.send(json.dumps(event))

    async def refuse(self, reply: Reply) -> None:
        await self.event(reply.in_band())

    async def close_with(self, code: int) -> None:
        self.stage.state.update(self.stage.record, closed=True)
        await self._socket.close(code)

    async def truncate(self) -> None:
        await self.close_with(1001)

    async def finish(self) -> None:
        """Nothing marks the end of an answer but its last event."""
