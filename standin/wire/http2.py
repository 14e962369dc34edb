"""HTTP/2 on one connection: streams side by side, with flow control."""

import asyncio
import sys
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame

from standin.exchange import Exchange, Handler
from standin.records import Headers, Incoming
from standin.wire.link import Link


@dataclass(slots=True)
class Stream:
    """A request that is coming in, then the task that answers it."""

    headers: Headers
    body: bytearray = field(default_factory=bytearray)
    task: asyncio.Task[None] | None = None


class Http2Server:
    """The server's side of one HTTP/2 connection."""

    def __init__(self, link: Link, handle: Handler) -> None:
        self.link, self._handle = link, handle
        self.wire = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.room = asyncio.Condition()
        self._streams: dict[int, Stream] = {}
        self._last_stream_id = sys.maxsize

    async def run(self) -> None:
        """Serve until either side is done with the connection."""
        self.wire.initiate_connection()
        try:
            async with asyncio.TaskGroup() as group:
                await self._read(group)
                for stream in self._streams.values():
                    if stream.task is not None:
                        stream.task.cancel()
        except* ConnectionError:
            pass  # the peer left while we were writing; the streams' own handlers have noticed
        await self.link.close()

    async def flush(self) -> None:
        """Send what the protocol has to say."""
        await self.link.write(self.wire.data_to_send())

    async def go_away(self, last_stream_id: int) -> None:
        """Send a GOAWAY that takes no request after this one; what runs may finish, then the connection ends."""
        # written by hand: the protocol library would not let the earlier streams go on after its own GOAWAY
        self._last_stream_id = min(last_stream_id, self._last_stream_id)
        frame = GoAwayFrame(0, last_stream_id=max(0, last_stream_id), error_code=0)
        await self.link.write(self.wire.data_to_send() + frame.serialize())

    async def _read(self, group: asyncio.TaskGroup) -> None:
        await self.flush()
        while data := await self.link.read():
            try:
                events = self.wire.receive_data(data)
            except ProtocolError:
                await self.flush()
                return
            for event in events:
                await self._on(event, group)
            await self.flush()

    async def _on(self, event: Event, group: asyncio.TaskGroup) -> None:
        match event:
            case RequestReceived(stream_id=int(stream_id), headers=list(headers)):
                self._streams[stream_id] = Stream(tuple((str(name), str(value)) for name, value in headers))
            case DataReceived(stream_id=int(stream_id), data=bytes(data), flow_controlled_length=int(length)):
                self.wire.acknowledge_received_data(length, stream_id)
                if stream_id in self._streams:
                    self._streams[stream_id].body += data
            case StreamEnded(stream_id=int(stream_id)):
                self._begin(stream_id, group)
            case StreamReset(stream_id=int(stream_id)):
                stream = self._streams.pop(stream_id, None)
                if stream is not None and stream.task is not None:
                    stream.task.cancel()
            case WindowUpdated():
                async with self.room:
                    self.room.notify_all()
            case ConnectionTerminated():
                pass  # the peer opens nothing new; what runs may finish, and the end of the bytes ends the rest

    def _begin(self, stream_id: int, group: asyncio.TaskGroup) -> None:
        stream = self._streams.get(stream_id)
        if stream is None or stream_id > self._last_stream_id:
            return
        exchange = Http2Exchange(self._incoming(stream), stream_id, self)
        stream.task = group.create_task(self._work(exchange, stream_id))

    async def _work(self, exchange: "Http2Exchange", stream_id: int) -> None:
        try:
            await self._handle(exchange)
        finally:
            self._streams.pop(stream_id, None)
        if self._last_stream_id < sys.maxsize and not any(stream.task for stream in self._streams.values()):
            await self.link.close()

    def _incoming(self, stream: Stream) -> Incoming:
        pseudo = {name: value for name, value in stream.headers if name.startswith(":")}
        return Incoming(
            method=pseudo[":method"],
            host=pseudo.get(":authority", ""),
            path=pseudo[":path"],
            headers=tuple((name, value) for name, value in stream.headers if not name.startswith(":")),
            raw_body=bytes(stream.body),
            http_version="2",
            connection=self.link.number,
            secure=self.link.secure,
        )


class Http2Exchange(Exchange):
    """One stream of an HTTP/2 connection."""

    def __init__(self, request: Incoming, stream_id: int, server: Http2Server) -> None:
        super().__init__(request)
        self._stream_id, self._server = stream_id, server

    async def start(self, status: int, headers: Headers) -> None:
        self.started = self.survives_goaway = True
        self._guard()
        self._server.wire.send_headers(self._stream_id, [(":status", str(status)), *headers])
        await self._server.flush()

    async def send(self, data: bytes) -> None:
        wire = self._server.wire
        while data:
            async with self._server.room:
                await self._server.room.wait_for(self._has_room)
            self._guard()
            size = min(wire.local_flow_control_window(self._stream_id), wire.max_outbound_frame_size, len(data))
            wire.send_data(self._stream_id, data[:size])
            await self._server.flush()
            data = data[size:]

    async def end(self) -> None:
        self._guard()
        self._server.wire.end_stream(self._stream_id)
        await self._server.flush()

    def reset(self) -> None:
        self._server.link.reset()

    async def reset_stream(self) -> None:
        self._guard()
        self._server.wire.reset_stream(self._stream_id, ErrorCodes.INTERNAL_ERROR)
        await self._server.flush()

    async def close(self) -> None:
        await self._server.link.close()

    async def go_away(self) -> None:
        await self._server.go_away(self._stream_id if self.started else self._stream_id - 2)

    def _has_room(self) -> bool:
        return self._gone() or self._server.wire.local_flow_control_window(self._stream_id) > 0

    def _gone(self) -> bool:
        stream = self._server.wire.streams.get(self._stream_id)
        return stream is None or stream.closed

    def _guard(self) -> None:
        if self._gone():
            raise ConnectionResetError("the client reset the stream")
