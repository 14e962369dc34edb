"""An account's token that comes back in an answer goes no further, and nothing else of the answer changes."""

import base64
import gzip
import itertools
import json
import secrets
import zlib
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy.layers import http as h

from addons.attempts.echoes import MOST_HELD, EchoFilter
from addons.attempts.protocol import Send
from addons.attempts.selftest import Script
from addons.redaction.flows import MARK
from tests.addons.attempts.asking import asked

TOKEN = ".".join(secrets.token_urlsafe(20) for _ in range(3)).encode()
CODES: dict[str, Any] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
ECHO = json.dumps({"error": {"message": f"bad token {TOKEN.decode()}, sorry"}}).encode()


def head(status: int = 400, **fields: str) -> h.ResponseHeaders:
    response = http.Response.make(status, b"")
    del response.headers["content-length"]  # which is that of no body
    for name, value in fields.items():
        response.headers[name.replace("_", "-")] = value
    return h.ResponseHeaders(1, response, False)


def passed(filtering: EchoFilter, *events: Any) -> list[Any]:
    return [each for event in events for each in filtering.passing(event)]


def body(events: list[Any]) -> bytes:
    return b"".join(each.data for each in events if isinstance(each, h.ResponseData))


def test_a_token_in_a_head_a_reason_or_trailers_is_replaced() -> None:
    said = head(x_echo=f"Bearer {TOKEN.decode()}", x_other="1")
    said.response.data.reason = b"No " + TOKEN
    trailers = h.ResponseTrailers(1, http.Headers(((b"a", TOKEN),)))
    found = passed(EchoFilter(TOKEN), said, trailers, h.ResponseEndOfMessage(1))
    assert TOKEN not in bytes(said.response.headers) + said.response.data.reason + bytes(trailers.trailers)
    assert MARK.decode() in said.response.headers["x-echo"]
    assert said.response.headers["x-other"] == "1"
    assert len(found) == 3


@given(st.lists(st.integers(0, len(ECHO)), max_size=6), st.sampled_from([200, 400]))
def test_a_token_in_a_document_is_replaced_however_it_is_cut(cuts: list[int], status: int) -> None:
    at = [0, *sorted(cuts), len(ECHO)]
    pieces = [h.ResponseData(1, ECHO[a:b]) for a, b in itertools.pairwise(at)]
    kind = {"content_type": "application/json"}
    found = passed(EchoFilter(TOKEN), head(status, **kind), *pieces, h.ResponseEndOfMessage(1))
    assert TOKEN not in body(found)
    assert len(body(found)) == len(ECHO)
    assert MARK in body(found)


@given(st.lists(st.binary(max_size=9), max_size=9), st.binary(max_size=9))
def test_what_is_no_token_passes_unchanged(pieces: list[bytes], more: bytes) -> None:
    whole = [*pieces, TOKEN[:-1], more[:1] * (more[:1] != TOKEN[-1:])]
    found = passed(EchoFilter(TOKEN), head(), *(h.ResponseData(1, each) for each in whole), h.ResponseEndOfMessage(1))
    assert body(found) == b"".join(whole)


FORMS = {
    "as it is": TOKEN.decode(),
    "json": "".join(f"\\u00{each:02X}" for each in TOKEN),
    "json in part": TOKEN.decode().replace(".", "\\u002e"),
    "url": "".join(f"%{each:02x}" for each in TOKEN),
    "url in part": TOKEN.decode().replace(".", "%2E").replace("-", "%2d"),
    "page": "".join(f"&#{each};" for each in TOKEN),
    "script": "".join(f"\\x{each:02x}" for each in TOKEN),
    "base64": base64.b64encode(b"Bearer " + TOKEN + b", sorry").decode(),
    "hexadecimal": TOKEN.hex(),
    "pairs": TOKEN.hex(":").upper(),
    "numbers": str(list(TOKEN)),
    "base64 for urls": base64.urlsafe_b64encode(b"x" + TOKEN).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coding", CODES)
@settings(max_examples=settings.default.max_examples // 3)
@given(cuts=st.lists(st.integers(0, 4000), max_size=4))
def test_no_form_of_a_token_passes_in_a_document_however_it_is_cut(form: str, coding: str, cuts: list[int]) -> None:
    text = f'{{"error": "bad token {FORMS[form]}"}}'.encode()
    packed = CODES[coding](text)
    at = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    pieces = [h.ResponseData(1, packed[a:b]) for a, b in itertools.pairwise(at)]
    said = head(content_length=str(len(packed)), **({"content_encoding": coding} if coding else {}))
    found = passed(EchoFilter(TOKEN), said, *pieces, h.ResponseEndOfMessage(1))
    assert FORMS[form][40:-40].encode() not in body(found)
    assert body(found).startswith(b'{"error": "bad token ')
    assert body(found).endswith(b'"}')
    assert len(body(found)) == len(text) == int(said.response.headers["content-length"])


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_token_passes_in_a_head_an_error_or_an_event(form: str) -> None:
    said = head(200, location=f"https://x/?token={FORMS[form]}", content_type="text/event-stream")
    said.response.data.reason = FORMS[form].encode()
    error = h.ResponseProtocolError(1, f"malformed {FORMS[form]}", h.ErrorCode.GENERIC_SERVER_ERROR)
    event = f"data: {FORMS[form]}\n\n".encode()
    found = passed(EchoFilter(TOKEN), said, h.ResponseData(1, event), error)
    told = bytes(said.response.headers) + said.response.data.reason + error.message.encode() + body(found)
    assert FORMS[form][40:-40].encode() not in told
    assert len(body(found)) == len(event)


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_token_in_a_body_with_a_coding_is_replaced(coding: str, code: Any) -> None:
    packed = code(ECHO)
    said = head(content_encoding=coding, content_length=str(len(packed)))
    found = passed(
        EchoFilter(TOKEN), said, h.ResponseData(1, packed[:9]), h.ResponseData(1, packed[9:]), h.ResponseEndOfMessage(1)
    )
    assert [type(each) for each in found] == [h.ResponseHeaders, h.ResponseData, h.ResponseEndOfMessage]
    assert "content-encoding" not in said.response.headers
    assert int(said.response.headers["content-length"]) == len(body(found)) == len(ECHO)
    assert TOKEN not in body(found)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_body_with_a_coding_and_without_the_token_passes_as_it_came(damaged: bool) -> None:
    packed = gzip.compress(b"{}")[: 9 if damaged else None]
    said = head(content_encoding="gzip")
    found = passed(EchoFilter(TOKEN), said, h.ResponseData(1, packed), h.ResponseEndOfMessage(1))
    assert (found[0], body(found), said.response.headers["content-encoding"]) == (said, packed, "gzip")


def test_a_large_body_with_a_coding_is_not_kept_back() -> None:
    filtering = EchoFilter(TOKEN)
    packed = gzip.compress(secrets.token_bytes(MOST_HELD + 1))
    assert passed(filtering, head(content_encoding="gzip")) == []
    assert len(passed(filtering, h.ResponseData(1, packed[:-9]))) == 2
    assert len(passed(filtering, h.ResponseData(1, packed[-9:]))) == 1


def raw_deflate(data: bytes) -> bytes:
    """Looks like zlib's header at first sight: a block that is stored as it is, and bits that nobody looks at."""
    return b"\x08" + len(data).to_bytes(2, "little") + (0xFFFF - len(data)).to_bytes(2, "little") + data + b"\x03\x00"


def far_looking(data: bytes) -> bytes:
    """A frame of zstd with a window that we do not take, and that others do."""
    how = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=how).compressobj()
    return bytes(packer.compress(data) + packer.flush())


ODD: dict[str, tuple[str, bytes]] = {
    "garbage behind it": ("gzip", gzip.compress(ECHO) + b"\0" * 40),
    "a wrong sum": ("gzip", gzip.compress(ECHO)[:-8] + bytes(8)),
    "cut short": ("gzip", gzip.compress(ECHO)[:-8]),
    "what swells before it": ("gzip", gzip.compress(bytes(64 << 20) + ECHO)),
    "many members": ("gzip", gzip.compress(b"") * 5_000 + gzip.compress(ECHO)),
    "four codings": ("gzip, gzip, gzip, gzip", gzip.compress(gzip.compress(gzip.compress(gzip.compress(ECHO))))),
    "a window of 128 MB": ("zstd", far_looking(ECHO)),
    "bare deflate": ("deflate", raw_deflate(ECHO)),
    "a coding that nobody knows": ("lzma", ECHO),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("stream", [False, True])
def test_a_token_passes_in_no_coding_that_another_reader_would_have_more_patience_with(odd: str, stream: bool) -> None:
    """A document goes on as far as it can be read, and in no coding; a stream breaks off."""
    coding, packed = ODD[odd]
    said = head(200 if stream else 400, content_encoding=coding, content_type="text/event-stream" if stream else "")
    if not stream:
        said.response.headers["content-length"] = str(len(packed))
    found = passed(EchoFilter(TOKEN), said, h.ResponseData(1, packed), h.ResponseEndOfMessage(1))
    assert TOKEN not in body(found)
    assert packed not in body(found)
    breaks = stream and odd != "a coding that nobody knows"
    assert isinstance(found[-1], h.ResponseProtocolError if breaks else h.ResponseEndOfMessage)
    if not stream:
        assert int(said.response.headers["content-length"]) == len(body(found))


def test_a_token_that_is_cut_in_two_is_found_in_a_coding_that_nobody_knows() -> None:
    said = head(200, content_encoding="lzma", content_type="text/event-stream")
    events = [h.ResponseData(1, b"data: " + TOKEN[:9]), h.ResponseData(1, TOKEN[9:] + b"\n\n")]
    assert TOKEN not in body(passed(EchoFilter(TOKEN), said, *events, h.ResponseEndOfMessage(1)))


def test_a_body_with_a_coding_that_breaks_off_is_handed_on_with_its_error() -> None:
    error = h.ResponseProtocolError(1, f"malformed chunk {TOKEN.decode()}", h.ErrorCode.GENERIC_SERVER_ERROR)
    found = passed(EchoFilter(TOKEN), head(content_encoding="gzip"), h.ResponseData(1, b"x"), error)
    assert [type(each) for each in found] == [h.ResponseHeaders, h.ResponseData, h.ResponseProtocolError]
    assert TOKEN.decode() not in error.message


def test_a_stream_of_events_keeps_no_whole_event_back() -> None:
    """Of one that is cut, which nobody can read yet, what may be the token's beginning comes with the rest."""
    filtering = EchoFilter(TOKEN)
    passed(filtering, head(200, content_type="text/event-stream"))
    whole = b"data: " + TOKEN[:9] + b"\n\n"
    assert body(passed(filtering, h.ResponseData(1, whole))) == whole
    assert body(passed(filtering, h.ResponseData(1, b"data: " + TOKEN[:9]))) == b"data: "
    assert TOKEN not in body(passed(filtering, h.ResponseData(1, TOKEN[9:] + b"\n\n")))
    passed(filtering, h.ResponseData(1, TOKEN[:9]))
    assert body(passed(filtering, h.ResponseEndOfMessage(1))) == TOKEN[:9]


class Brotli:
    """As the others, with what it flushes."""

    def __init__(self) -> None:
        self._inner = brotli.Compressor()

    def compress(self, data: bytes) -> bytes:
        return bytes(self._inner.process(data))

    def flush(self, *_: int) -> bytes:
        return bytes(self._inner.flush())


STREAMED: dict[str, Any] = {
    "gzip": lambda: zlib.compressobj(wbits=31),
    "deflate": zlib.compressobj,
    "br": Brotli,
    "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
}


def coded_stream(coding: str, *events: bytes) -> list[h.ResponseData]:
    """Each event, flushed by itself."""
    packer = STREAMED[coding]()
    how = (zstandard.COMPRESSOBJ_FLUSH_BLOCK,) if coding == "zstd" else () if coding == "br" else (zlib.Z_SYNC_FLUSH,)
    return [h.ResponseData(1, packer.compress(each) + packer.flush(*how)) for each in events]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coding", STREAMED)
def test_a_stream_in_a_coding_breaks_where_the_token_is_and_nothing_follows(coding: str, form: str) -> None:
    filtering = EchoFilter(TOKEN)
    said = head(200, content_type="text/event-stream", content_encoding=coding)
    first, bad, last = coded_stream(coding, b"data: 1\n\n", f"data: {FORMS[form]}\n\n".encode(), b"data: 3\n\n")
    assert passed(filtering, said, first) == [said, first]
    (broken,) = passed(filtering, bad)
    assert isinstance(broken, h.ResponseProtocolError)
    assert passed(filtering, last, h.ResponseEndOfMessage(1)) == []


@pytest.mark.parametrize("coding", STREAMED)
@pytest.mark.parametrize("cut", [1, 9, len(TOKEN) - 1])
def test_nor_does_the_beginning_of_a_token_that_is_cut_in_two_pass_in_a_coding(coding: str, cut: int) -> None:
    filtering = EchoFilter(TOKEN)
    said = head(200, content_type="text/event-stream", content_encoding=coding)
    begun, rest = coded_stream(coding, b"data: " + TOKEN[:cut], TOKEN[cut:] + b"\n\n")
    assert passed(filtering, said, begun) == [said]
    assert [type(each) for each in passed(filtering, rest)] == [h.ResponseProtocolError]


@pytest.mark.parametrize("coding", STREAMED)
def test_a_stream_in_a_coding_without_the_token_passes_as_it_came(coding: str) -> None:
    filtering = EchoFilter(TOKEN)
    said = head(200, content_type="text/event-stream", content_encoding=coding)
    events = [b"data: 1\n\n", b"data: " + TOKEN[:20], b" no\n\n", b"data: " + TOKEN[:20]]
    chunks = coded_stream(coding, *events)
    found = passed(filtering, said, *chunks, h.ResponseEndOfMessage(1))
    assert found[:-1] == [said, *chunks]


def test_a_long_document_in_a_coding_is_looked_through_too() -> None:
    filtering = EchoFilter(TOKEN)
    packed = gzip.compress(secrets.token_bytes(MOST_HELD) + TOKEN + bytes(9))
    pieces = [h.ResponseData(1, packed[:-30]), h.ResponseData(1, packed[-30:])]
    found = passed(filtering, head(content_encoding="gzip"), *pieces, h.ResponseEndOfMessage(1))
    assert [type(each) for each in found][-1] is h.ResponseProtocolError


def test_a_document_that_is_longer_than_it_said_is_looked_through_as_it_comes() -> None:
    filtering = EchoFilter(TOKEN)
    passed(filtering, head(content_length="5"))
    events = [h.ResponseData(1, bytes(MOST_HELD) + TOKEN[:9]), h.ResponseData(1, TOKEN[9:]), h.ResponseEndOfMessage(1)]
    found = passed(filtering, *events)
    assert TOKEN not in body(found)
    assert len(body(found)) == MOST_HELD + len(TOKEN)


@pytest.mark.parametrize(("key", "said", "is_one"), [("a", TOKEN, True), ("", TOKEN, False), ("a", b"short", False)])
def test_only_an_accounts_own_token_is_looked_for(key: str, said: bytes, is_one: bool) -> None:
    request = http.Request.make("POST", "https://x/", b"", {"authorization": f"Bearer {said.decode()}"})
    assert (EchoFilter.of(Send(request, key=key)) is not None) is is_one


ASKS_FOR_SOCKET = {"upgrade": "websocket", "sec-websocket-version": "13"}


@pytest.mark.parametrize(
    ("method", "asked_for", "given", "passes"),
    [
        ("GET", ASKS_FOR_SOCKET, "websocket", True),
        ("GET", ASKS_FOR_SOCKET, "other", False),
        ("GET", ASKS_FOR_SOCKET, "", False),
        ("GET", {"upgrade": "websocket"}, "websocket", False),
        ("GET", ASKS_FOR_SOCKET | {"sec-websocket-version": "8"}, "websocket", False),
        ("POST", ASKS_FOR_SOCKET, "websocket", False),
        ("POST", {"upgrade": "h2c"}, "h2c", False),
        ("POST", {}, "websocket", False),
    ],
)
def test_upstream_switches_to_nothing_but_a_websocket_that_was_asked_for(
    method: str, asked_for: dict[str, str], given: str, passes: bool
) -> None:
    """What follows any other switch would pass as it is, with a token in it or not."""
    request = http.Request.make(method, "https://x/", b"", {"authorization": f"Bearer {TOKEN.decode()}", **asked_for})
    filtering = EchoFilter.of(Send(request, key="a"))
    assert filtering is not None
    said = head(101, **({"upgrade": given} if given else {}))
    (first, *_) = passed(filtering, said)
    assert (first is said) is passes
    if not passes:
        assert isinstance(first, h.ResponseProtocolError)
        assert passed(filtering, h.ResponseData(1, TOKEN), h.ResponseEndOfMessage(1)) == []


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_the_client_never_gets_the_token_of_the_attempt(options: Options, coding: str) -> None:
    """Over the wire: the second account answers with its own token everywhere."""
    key = TOKEN.decode()
    rehearsal = asked(options, Script("a-first-token-of-some-length", key))
    rehearsal.says(rehearsal.servers[0], b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n")
    packed = gzip.compress(ECHO) if coding else ECHO
    lines = [
        b"HTTP/1.1 200 " + TOKEN,
        b"X-Echo: " + TOKEN,
        b"Content-Type: application/json",
        *([b"Content-Encoding: gzip"] if coding else []),
        b"Content-Length: %d" % len(packed),
    ]
    whole = b"\r\n".join(lines) + b"\r\n\r\n" + packed
    for at in range(0, len(whole), 40):
        rehearsal.says(rehearsal.servers[1], whole[at : at + 40])
    told = rehearsal.sent[rehearsal.client]
    assert TOKEN not in told
    assert told.startswith(b"HTTP/1.1 200 ")
    assert told.count(MARK) == 3
    assert told.endswith(b', sorry"}}')
