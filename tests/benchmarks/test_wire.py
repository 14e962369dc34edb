"""The bench's own HTTP/1.1 and WebSocket reading gives the same however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import Ping, TextMessage

from benchmarks import wire

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;odd=yes\r\n!\r\n0\r\n\r\n"
)
SIZED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nbody"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


def pieces(data, cuts):
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    ("data", "status", "body"), [(CHUNKED, 200, b"hello!"), (SIZED, 429, b"body"), (EMPTY, 204, b"")]
)
@given(cuts=st.lists(st.integers(0, 140)))
def test_an_answer_is_the_same_however_it_is_cut(data, status, body, cuts):
    answer, got = wire.Answer(), b""
    for piece in pieces(data, cuts):
        assert not answer.complete
        got += answer.feed(piece)
    assert (answer.status, got, answer.complete) == (status, body, True)


def test_an_answer_is_complete_with_its_last_byte_only():
    for data in (CHUNKED, SIZED):
        answer = wire.Answer()
        answer.feed(data[:-1])
        assert not answer.complete


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    ],
)
def test_nonsense_is_malformed(data):
    with pytest.raises(wire.Malformed):
        wire.Answer().feed(data)


def test_chunks_are_read_back():
    head = wire.head("HTTP/1.1 200 OK", (("transfer-encoding", "chunked"),))
    answer = wire.Answer()
    assert answer.feed(head + wire.chunk(b"x" * 300) + wire.chunk(b"")) == b"x" * 300
    assert answer.complete


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_library_reads_our_frames(size):
    """A masked one as a server, one that is not as a client."""
    for role, masked in ((ConnectionType.SERVER, True), (ConnectionType.CLIENT, False)):
        peer = Connection(role)
        peer.receive_data(wire.frame(b"x" * size, masked=masked))
        assert "".join(event.data for event in peer.events()) == "x" * size


@given(sizes=st.lists(st.sampled_from([0, 5, 126, 70_000]), max_size=4), cuts=st.lists(st.integers(0, 300)))
def test_we_read_frames_of_a_library_however_they_are_cut(sizes, cuts):
    peer, frames, found = Connection(ConnectionType.SERVER), wire.Frames(), []
    data = b"".join(peer.send(TextMessage(data="y" * size)) + peer.send(Ping(payload=b"?")) for size in sizes)
    for piece in pieces(data, cuts):
        found += frames.feed(piece)
    assert [len(each) for each in found] == sizes


def test_a_close_frame_is_no_message():
    with pytest.raises(wire.Malformed):
        wire.Frames().feed(b"\x88\x02\x03\xe8")
