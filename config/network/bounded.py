"""What comes back to a question of our own is bounded: in bytes on the wire, in what they become, and in their ratio.

Whoever answers may be an upstream that was told by a setting, or another proxy on the way. Past a bound it is an answer
that cannot be read, which every caller knows as one that did not come.
"""

from collections.abc import Iterator
from typing import Final

import httpx

from config import decoding

MOST: Final = 4 << 20
"""Bytes of a body, as it comes and as it becomes. The largest that the provider sends is a list of models."""


class BoundedTransport(httpx.BaseTransport):
    """Takes the coding off what `inner` brings, and raises httpx.DecodingError for what is too much."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        assert isinstance(answer.stream, httpx.SyncByteStream)
        body = BoundedBody(answer.stream, answer.headers.get("content-encoding", ""), request)
        headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_A_CODING]
        coded = "content-encoding" in answer.headers
        return httpx.Response(
            answer.status_code,
            headers=headers if coded else answer.headers.raw,
            stream=body,
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._inner.close()


_OF_A_CODING: Final = frozenset({b"content-encoding", b"content-length"})


class BoundedBody(httpx.SyncByteStream):
    """A body without its coding, as far as it is allowed to go."""

    def __init__(self, inner: httpx.SyncByteStream, coding: str, request: httpx.Request) -> None:
        self._inner = inner
        self._coding = coding
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        came = became = 0
        try:
            feed = decoding.decoder(self._coding)
            for chunk in self._inner:
                came += len(chunk)
                if came > MOST:
                    raise decoding.TooLarge
                plain = feed(chunk)
                became += len(plain)
                if became > MOST:
                    raise decoding.TooLarge
                yield plain
        except decoding.CannotDecode as e:
            raise httpx.DecodingError(f"a body {e}", request=self._request) from None

    def close(self) -> None:
        self._inner.close()
