"""What is remembered of a request."""

import zstandard

from standin.records import Incoming, Record, cookies_of


def incoming(body: bytes = b"{}", **headers: str) -> Incoming:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Incoming(
        method="POST", host="h", path="/p?q", headers=pairs, raw_body=body, http_version="2", connection=1, secure=True
    )


def test_zstd_without_a_declared_size() -> None:
    """A streamed zstd body is decoded although it does not say how long it will be."""
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = compressor.compress(b'{"a": 1}') + compressor.flush()
    assert incoming(packed, content_encoding="zstd").body() == b'{"a": 1}'


def test_snapshots_do_not_grow() -> None:
    """A snapshot is the record at one moment."""
    record = Record(request=incoming(), body=b'{"a": 1}', account_id=None, user_id=None)
    before = record.snapshot()
    record.messages.append({"type": "x"})
    record.status = 200
    assert (before.messages, before.status) == ((), None)
    assert record.snapshot().messages == ({"type": "x"},)
    assert before.json() == {"a": 1}


def test_no_token_in_repr() -> None:
    """Headers, bodies and messages may hold one."""
    request = incoming(b"secret", authorization="Bearer secret")
    record = Record(request=request, body=b"secret", account_id=None, user_id=None, messages=[{"x": "secret"}])
    assert "secret" not in repr((request, record, record.snapshot()))


def test_route_and_upgrade() -> None:
    """The route has no query; an upgrade is known by its header."""
    assert incoming().route == "/p"
    assert not incoming().wants_websocket
    assert incoming(upgrade="WebSocket").wants_websocket


def test_cookies() -> None:
    """One header, or one for each pair as HTTP/2 may send them."""
    assert cookies_of((("cookie", "a=1; b=2=3"), ("cookie", "c=4"))) == {"a": "1", "b": "2=3", "c": "4"}
