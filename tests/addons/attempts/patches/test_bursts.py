"""What a server has said at once is passed on at once, in the same order, and nothing waits for more."""

from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import ReceiveHttp, ResponseData, ResponseEndOfMessage

from addons.attempts.patches import bursts
from addons.attempts.protocol import Signal, Step
from addons.attempts.selftest import Script
from tests.addons.attempts.asking import asked

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE, TWO, THREE = b"3\r\none\r\n", b"3\r\ntwo\r\n", b"5\r\nthree\r\n"
END = b"0\r\n\r\n"


class Streaming(Script):
    """Counts the pieces that pass."""

    def head(self, response: http.Response) -> Step:
        response.stream = True
        return super().head(response)

    def passed(self) -> Step:
        self.history.append("passed")
        return Signal.WAIT


@pytest.mark.parametrize(
    ("arrives", "passes"),
    [
        ([HEAD, ONE + TWO + THREE, END], [b"b\r\nonetwothree\r\n"]),
        ([HEAD, ONE, TWO, THREE, END], [ONE, TWO, THREE]),
        ([HEAD, ONE + TWO[:4], TWO[4:] + THREE, END], [b"4\r\nonet\r\n", b"7\r\nwothree\r\n"]),
        ([HEAD + ONE + TWO, THREE + END], [b"6\r\nonetwo\r\n", THREE]),
        ([HEAD + ONE + TWO + THREE + END], [b"b\r\nonetwothree\r\n"]),
        ([HEAD + END], []),
    ],
)
def test_pieces_of_one_read_are_one_piece(options: Options, arrives: list[bytes], passes: list[bytes]) -> None:
    script = Streaming("one")
    rehearsal = asked(options, script)
    for data in arrives:
        rehearsal.says(rehearsal.servers[0], data)
    assert script.history == ["head 200", "delivering", *["passed"] * len(passes), "finished"]
    assert rehearsal.sent[rehearsal.client].partition(b"\r\n\r\n")[2] == b"".join(passes) + END


def test_what_breaks_after_a_burst_breaks_after_it(options: Options) -> None:
    script = Streaming("one")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], HEAD + ONE + TWO + b"no length\r\n")
    assert script.history[:3] == ["head 200", "delivering", "passed"]
    assert b"6\r\nonetwo\r\n" in rehearsal.sent[rehearsal.client]


STREAMS = st.integers(1, 3)
type Told = tuple[int, bytes | None]
"""Data of a stream, or its end."""


def told(command: commands.Command) -> Told:
    assert isinstance(command, ReceiveHttp)
    event = command.event
    return event.stream_id, event.data if isinstance(event, ResponseData) else None


@given(st.lists(st.tuples(STREAMS, st.one_of(st.binary(min_size=1, max_size=3), st.none()))))
def test_streams_of_one_connection_stay_in_order_and_apart(said: list[Told]) -> None:
    """As over HTTP/2, where they share it."""

    def theirs() -> Iterator[commands.Command]:
        for stream, data in said:
            yield ReceiveHttp(ResponseEndOfMessage(stream) if data is None else ResponseData(stream, data))

    runs = groupby(said, lambda each: (each[0], each[1] is None))
    expected: list[Told] = []
    for (stream, is_end), run in runs:
        expected += run if is_end else [(stream, b"".join(data for _, data in run if data is not None))]
    assert [told(each) for each in bursts._joined(theirs())] == expected  # type: ignore[arg-type]
