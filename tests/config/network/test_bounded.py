"""An answer to a question of our own fills no memory, whatever coding it comes in."""

import gzip
import http.server
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import brotli
import httpx
import pytest
import zstandard

from accounts.logins.oauth_login import Post
from accounts.provider.asking import get_over_http
from accounts.tokens.refresh import post_json
from cli.login import http as login_http
from config.network.bounded import MOST
from config.network.outbound import OutboundRoute

CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}
LARGE: Final = bytes(32 << 20)


@contextmanager
def serving(body: bytes, coding: str) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("content-encoding", coding)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-other", "stays")
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # nobody reads on
                self.close_connection = True

        do_POST = do_GET  # noqa: N815 - its base class calls it so

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="module", params=CODINGS)
def bomb(request: pytest.FixtureRequest) -> Iterator[str]:
    """32 MB of nothing."""
    with serving(CODINGS[request.param](LARGE), request.param) as url:
        yield url


@pytest.mark.parametrize("coding", CODINGS)
def test_an_answer_is_read_without_its_coding(coding: str) -> None:
    text = b'{"access_token": "' + b"a.b-c" * 400 + b'"}'
    with serving(CODINGS[coding](text), coding) as url, OutboundRoute().client(10) as client:
        answer = client.get(url)
    assert answer.content == text
    assert answer.headers["x-other"] == "stays"
    assert "content-encoding" not in answer.headers


def test_what_would_fill_a_memory_is_no_answer(bomb: str) -> None:
    with OutboundRoute().client(10) as client, pytest.raises(httpx.DecodingError, match="too large"):
        client.get(bomb)


def test_nor_is_it_read_to_its_end(bomb: str) -> None:
    """Nobody holds more than is allowed, and a little."""
    got = 0
    with OutboundRoute().client(10) as client, client.stream("GET", bomb) as answer:
        try:
            for piece in answer.iter_bytes():
                got += len(piece)
        except httpx.DecodingError:
            pass
        else:
            pytest.fail("it came to its end")
    assert got <= MOST


def test_every_question_of_ours_knows_it_as_no_answer(bomb: str) -> None:
    left: list[bool] = []
    with pytest.raises(OSError, match="DecodingError at the token endpoint"):
        post_json(bomb, {}, lambda: left.append(True))
    assert left == [True]
    with pytest.raises(OSError, match="DecodingError"):
        get_over_http(bomb, {})
    assert login_http.send(Post(url=bomb, body={}, form=True)).status == 0
    assert login_http.get(bomb, {}).status == 0


def test_much_that_becomes_nothing_is_no_answer_either() -> None:
    block = bytes.fromhex("000000ffff")
    endless = zlib.compressobj().flush(zlib.Z_SYNC_FLUSH) + block * (2 * MOST // len(block))
    with (
        serving(endless, "deflate") as url,
        OutboundRoute().client(10) as client,
        pytest.raises(httpx.DecodingError, match="too large"),
    ):
        client.get(url)


@pytest.mark.parametrize("coding", ["gzip", "made-up", "gzip, gzip, gzip, gzip"])
def test_what_cannot_be_read_is_no_answer(coding: str) -> None:
    with (
        serving(b"not in a coding", coding) as url,
        OutboundRoute().client(10) as client,
        pytest.raises(httpx.DecodingError),
    ):
        client.get(url)
