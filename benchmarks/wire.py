"""Just enough of HTTP/1.1 and of WebSocket frames for the bench: prebuilt bytes out, the end of an answer in. Pure.

A library for either costs several times as much per turn, on both sides of the proxy, and then measures itself.
"""

from typing import Final

CRLF: Final = b"\r\n"
END: Final = b"\r\n\r\n"
TEXT: Final = 0x81
"""The first byte of a text message that comes in one frame."""
NO_MASK: Final = bytes(4)
"""A client has to mask what it sends; with this mask the bytes stay what they are."""


class Malformed(Exception):
    """What came is no HTTP/1.1 answer, or no frame, that the bench can read."""


class Answer:
    """One HTTP/1.1 answer as it comes in. `status` is 0 until its head is there."""

    def __init__(self) -> None:
        self.status = 0
        self.complete = False
        self._buffer = b""
        self._chunked = False
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """Take what came; gives what is new of the body. Raises Malformed."""
        self._buffer += data
        if not self.status:
            head, found, rest = self._buffer.partition(END)
            if not found:
                return b""
            self._read_head(head)
            self._buffer = rest
        return self._chunks() if self._chunked else self._sized()

    def _read_head(self, head: bytes) -> None:
        status, *lines = head.split(CRLF)
        headers = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
        try:
            self.status = int(status.split(b" ", 2)[1])
            self._left = int(headers.get(b"content-length", b"0"))
        except (IndexError, ValueError) as e:
            raise Malformed(repr(head[:80])) from e
        self._chunked = headers.get(b"transfer-encoding") == b"chunked"

    def _sized(self) -> bytes:
        body, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(body)
        self.complete = self._left == 0
        return body

    def _chunks(self) -> bytes:
        body = []
        while not self.complete:
            line, found, rest = self._buffer.partition(CRLF)
            if not found:
                break
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError as e:
                raise Malformed(repr(line[:80])) from e
            if len(rest) < size + 2:
                break
            body.append(rest[:size])
            self._buffer = rest[size + 2 :]
            self.complete = size == 0
        return b"".join(body)


def chunk(data: bytes) -> bytes:
    """A piece of a body in chunked coding; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(first: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of a request or an answer."""
    return "\r\n".join((first, *(f"{name}: {value}" for name, value in headers), "", "")).encode()


def frame(payload: bytes, *, masked: bool) -> bytes:
    """A text message in one frame."""
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        start = bytes((TEXT, bit | size))
    elif size < 1 << 16:
        start = bytes((TEXT, bit | 126)) + size.to_bytes(2)
    else:
        start = bytes((TEXT, bit | 127)) + size.to_bytes(8)
    return start + (NO_MASK if masked else b"") + payload


class Frames:
    """The messages of one WebSocket as they come in. A masked one is left as it is: nobody here reads those."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; gives the text messages that are complete. Raises Malformed for a close frame, or for a
        message in several frames."""
        self._buffer += data
        messages = []
        while (found := self._next()) is not None:
            kind, payload = found
            if kind == TEXT:
                messages.append(payload)
            elif kind & 0x0F not in {0x9, 0xA}:  # pings and pongs are nobody's turn
                raise Malformed(f"frame {kind:#x} {payload[:80]!r}")
        return messages

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        masked, size, at = buffer[1] >> 7, buffer[1] & 0x7F, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at])
        at += 4 * masked
        if len(buffer) < at + size:
            return None
        self._buffer = buffer[at + size :]
        return buffer[0], buffer[at : at + size]
