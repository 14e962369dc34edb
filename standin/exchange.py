"""One request and the means to answer it, the same for HTTP/1.1 and HTTP/2."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from standin.records import Headers, Incoming
from standin.replies import Reply

NO_CONTENT = 204
"""The status whose answer has no length: it has no body."""

type Handler = Callable[[Exchange], Awaitable[None]]


class Socket(ABC):
    """An accepted WebSocket."""

    @abstractmethod
    async def receive(self) -> str | int | None:
        """The next text message; at the end the code of the client's close frame."""

    @abstractmethod
    async def send(self, text: str) -> None:
        """Send a text message."""

    @abstractmethod
    async def close(self, code: int) -> None:
        """Send a close frame and end the connection."""


class Exchange(ABC):
    """One request, complete, and its answer."""

    def __init__(self, request: Incoming) -> None:
        self.request = request
        self.started = False
        self.survives_goaway = False

    @abstractmethod
    async def start(self, status: int, headers: Headers) -> None:
        """Send the response head."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""

    @abstractmethod
    async def end(self) -> None:
        """End the body properly."""

    @abstractmethod
    def reset(self) -> None:
        """Cut the whole connection with a TCP RST."""

    async def reset_stream(self) -> None:
        """HTTP/2: RST_STREAM for this request alone; HTTP/1.1 has only the connection to reset."""
        self.reset()

    @abstractmethod
    async def close(self) -> None:
        """End the whole connection with a FIN, whatever has been sent."""

    @abstractmethod
    async def go_away(self) -> None:
        """HTTP/2: a GOAWAY, which refuses this request if its answer has not begun; HTTP/1.1 closes the connection."""

    async def accept(self, headers: Headers) -> Socket:
        """Become a WebSocket."""
        raise TypeError("only an HTTP/1.1 request can become a WebSocket")

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        length = () if reply.status == NO_CONTENT else (("content-length", str(len(reply.body))),)
        headers = (*reply.headers, *length)
        await self.start(reply.status, headers)
        if reply.body:
            await self.send(reply.body)
        await self.end()
