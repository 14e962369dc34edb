"""HTTP/1.1 on one connection: requests one after the other, any of which may turn it into a WebSocket."""

import asyncio
from http import HTTPStatus

import h11

from standin.exchange import Exchange, Handler, Socket
from standin.records import Headers, Incoming
from standin.wire.link import Link
from standin.wire.websocket import WireSocket


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""  # 529 has no name


class Http1Exchange(Exchange):
    """One request on an HTTP/1.1 connection."""

    def __init__(self, request: Incoming, link: Link, wire: h11.Connection) -> None:
        super().__init__(request)
        self.socket: WireSocket | None = None
        self.cut = False
        self._link, self._wire = link, wire

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send(h11.Response(status_code=status, headers=list(headers), reason=_phrase(status)))

    async def send(self, data: bytes) -> None:
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        await self._send(h11.EndOfMessage())

    def reset(self) -> None:
        self.cut = True
        self._link.reset()

    async def close(self) -> None:
        self.cut = True
        await self._link.close()

    async def go_away(self) -> None:
        await self.close()

    async def accept(self, headers: Headers) -> Socket:
        self.started = self.cut = True
        self.socket = WireSocket(self.request, self._link, self._wire.trailing_data[0])
        await self.socket.open(headers)
        return self.socket

    async def _send(self, event: h11.Event) -> None:
        await self._link.write(self._wire.send(event) or b"")


class Http1Server:
    """The server's side of one HTTP/1.1 connection."""

    def __init__(self, link: Link, handle: Handler) -> None:
        self._link, self._handle = link, handle
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)

    async def run(self) -> None:
        """Serve until either side is done with the connection."""
        try:
            while (request := await self._next_request()) is not None:
                exchange = Http1Exchange(request, self._link, self._wire)
                await self._serve(exchange)
                if exchange.cut or self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
                    break
                self._wire.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._complain(error)
        await self._link.close()

    async def _next_request(self) -> Incoming | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._wire.next_event()
            if event is h11.NEED_DATA:
                if self._wire.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await self._link.write(self._wire.send(go_on) or b"")
                self._wire.receive_data(await self._link.read())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._incoming(head, bytes(body))
            else:
                return None

    def _incoming(self, head: h11.Request, body: bytes) -> Incoming:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        return Incoming(
            method=head.method.decode("ascii"),
            host=next((value for name, value in headers if name == "host"), ""),
            path=head.target.decode("ascii"),
            headers=headers,
            raw_body=body,
            http_version=head.http_version.decode("ascii"),
            connection=self._link.number,
            secure=self._link.secure,
        )

    async def _serve(self, exchange: Http1Exchange) -> None:
        """Answer, and read at the same time: that is how a client that leaves is noticed."""
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(exchange))
            watch = group.create_task(self._watch(exchange, work))
            await asyncio.wait([work])
            watch.cancel()

    async def _work(self, exchange: Http1Exchange) -> None:
        await self._handle(exchange)

    async def _watch(self, exchange: Http1Exchange, work: asyncio.Task[None]) -> None:
        while data := await self._link.read():
            if exchange.socket is not None:
                await exchange.socket.feed(data)
            else:
                self._wire.receive_data(data)
        work.cancel()

    async def _complain(self, error: h11.RemoteProtocolError) -> None:
        if self._wire.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = str(error).encode()
            status = error.error_status_hint
            head = h11.Response(
                status_code=status, headers=[("content-length", str(len(body))), ("connection", "close")]
            )
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                await self._link.write(self._wire.send(event) or b"")
