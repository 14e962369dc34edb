import json

from hypothesis import given
from hypothesis import strategies as st

from accounts.continuing.delivered import DeliveredAnswer
from addons.exchange.reading.stream_part import MOST_HELD, StreamPart

EVENTS = [b'event: a\ndata: {"sequence_number":%d}\n\n' % number for number in range(6)]
STREAM = b"".join(EVENTS)


@given(st.lists(st.integers(1, len(STREAM)), unique=True).map(sorted))
def test_however_the_stream_is_cut_only_whole_events_pass(cuts: list[int]) -> None:
    part, got = StreamPart(DeliveredAnswer()), b""
    for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        if start < end:
            got += part.whole(STREAM[start:end])
            assert STREAM.startswith(got)
            assert not got or got.endswith(b"\n\n")
    assert got == STREAM
    assert part.whole(b"") == b""
    assert not part.is_torn


def test_a_chunk_of_whole_events_is_not_touched() -> None:
    assert StreamPart(DeliveredAnswer()).whole(STREAM) is STREAM


def test_lines_may_end_in_two_characters() -> None:
    part = StreamPart(DeliveredAnswer())
    assert part.whole(b"data: 1\r\n\r\ndata: 2\r\n") == b"data: 1\r\n\r\n"
    assert part.whole(b"\r\n") == b"data: 2\r\n\r\n"


def test_or_in_one_of_old() -> None:
    part = StreamPart(DeliveredAnswer())
    assert part.whole(b"data: 1\r\rdata: 2\r") == b"data: 1\r\r"
    assert part.whole(b"\r") == b"data: 2\r\r"


def test_at_the_end_all_passes_and_nobody_can_go_on_behind_it() -> None:
    part = StreamPart(DeliveredAnswer())
    assert part.whole(b"data: 1\n\ndata") == b"data: 1\n\n"
    assert part.whole(b"") == b"data"
    assert part.is_torn


def test_an_event_that_is_too_large_is_not_held_back() -> None:
    part, large = StreamPart(DeliveredAnswer()), b"data: " + b"x" * MOST_HELD
    assert part.whole(large) == large
    assert part.is_torn


def test_what_was_heard_before_it_is_the_clients_counts_once_it_is() -> None:
    delivered = DeliveredAnswer()
    part = StreamPart(delivered)
    part.heard("response.created", json.dumps({"response": {"id": "a"}}).encode())
    assert delivered.events == 0
    part.begin("one")
    part.heard("response.in_progress", b"{}")
    assert delivered.events == 2
    assert json.loads(delivered.head) == {"id": "a"}


def test_the_numbers_of_a_third_part_rise_on_from_the_second() -> None:
    delivered = DeliveredAnswer()
    for last in (5, 11, 17):
        part = StreamPart(delivered)
        part.begin("one")
        for each in EVENTS:
            part.heard("x", each)
        part.whole(STREAM)
        assert delivered.last_number == last
