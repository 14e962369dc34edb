"""Reading what is on the wire as far as it goes."""

import gzip
import json
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from addons.inspection import body as wire
from tests.rows import all_rows

EVENTS = [{"type": "a", "text": "one\u2028line"}, {"type": "b", "n": [1, {"x": "}"}]}]


def stream(end: str, *, bom: bool = False) -> bytes:
    lines = [
        line
        for each in EVENTS
        for line in (f"event: {each['type']}", f"data: {json.dumps(each, ensure_ascii=False)}", "")
    ]
    return (("\ufeff" if bom else "") + end.join(lines) + end).encode()


@all_rows("end", ["\n", "\r\n", "\r"])
@all_rows("bom", [False, True])
def test_events_are_found_whatever_ends_their_lines(end: str, bom: bool) -> None:
    found = list(wire.events(stream(end, bom=bom)))
    assert [each.payload for each in found] == EVENTS
    assert [each.kind for each in found] == ["a", "b"]
    assert all(each.whole for each in found)
    assert wire.is_stream(stream(end, bom=bom))


@all_rows(
    ("data", "found"),
    [
        (b'data: {"type":"a"}', [("a", True)]),
        (b'data:{"type":\ndata:"a"}\n\n', [("a", True)]),
        (b'event: b\ndata: {"type":"a"}\n\n', [("a", True)]),  # the type inside counts
        (b'event: b\ndata: {"n":1}\n\n', [("b", True)]),
        (b'data: {"type":5}\n\n', [("", True)]),
        (b"data: [DONE]\n\n", [("[DONE]", True)]),
        (b"event: a\n\nevent: b\ndata: {}\n\n", [("b", True)]),
        (b": comment\nid: 1\nretry: 2\n\n", []),
        (b"data: [1]\n\n", [("", False)]),
        (b"event: x\ndata: \xff\xfe\n\n", [("x", False)]),
        (b'data: {"type":"a","text":"cut o', [("a", False)]),
    ],
)
def test_odd_events(data: bytes, found: list[tuple[str, bool]]) -> None:
    assert [(each.kind, each.whole) for each in wire.events(data)] == found


@all_rows("data", [b"", b"{}", b"<html>", b"hello: there", b"\x00\x01"])
def test_what_is_no_stream(data: bytes) -> None:
    assert not wire.is_stream(data)


# --- JSON that was cut off -------------------------------------------------------------------------------------------


def test_json_that_was_cut_off_is_read_up_to_the_last_complete_value() -> None:
    assert wire.loads('{"a": 1, "b": [{"c": "x"}, {"d": "y", "e": "cut') == (
        {"a": 1, "b": [{"c": "x"}, {"d": "y"}]},
        False,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=5) | st.dictionaries(st.text(max_size=20), each, max_size=5),
    max_leaves=20,
)


@given(JSON.filter(lambda each: isinstance(each, dict | list)), st.floats(0, 1, exclude_max=True))
def test_json_cut_anywhere_is_still_a_value(value: object, at: float) -> None:
    text = json.dumps(value)
    found, whole = wire.loads(text[: max(1, int(len(text) * at))])
    assert isinstance(found, type(value))
    assert not whole


@all_rows(
    "text",
    [
        "",
        "]",
        "}{",
        "[}",
        "nul",
        '"',
        "[" * 100_000,
        '{"a":' * 100_000,
        '"' + '\\"' * 500_000,
        "9" * 5000,
        "[" + "9" * 5000,
    ],
    ids=lambda text: text[:6],
)
def test_what_is_no_json_is_nothing(text: str) -> None:
    found, whole = wire.loads(text)
    assert not whole
    assert found is None or text.startswith(("[", "{"))  # as deep as it goes


# --- codings ---------------------------------------------------------------------------------------------------------

PLAIN = json.dumps({"input": [{"role": "user", "content": str(n)} for n in range(60_000)]}).encode()
PACKED = {
    "zstd": zstandard.compress(PLAIN),
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "br": brotli.compress(PLAIN, quality=1),
    "gzip, br": brotli.compress(gzip.compress(PLAIN), quality=1),
    "": PLAIN,
    "identity": PLAIN,
    "unheard-of": PLAIN,
}


@all_rows("coding", PACKED)
def test_every_coding_is_undone(coding: str) -> None:
    assert wire.unpacked(PACKED[coding], coding.upper()) == PLAIN


@all_rows("coding", ["zstd", "gzip", "deflate", "br"])
def test_a_body_that_was_cut_off_gives_what_it_has(coding: str) -> None:
    packed = PACKED[coding]
    found = wire.unpacked(packed[: len(packed) * 3 // 4], coding)
    assert found
    assert PLAIN.startswith(found)


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_a_coding_that_nobody_names_is_seen(coding: str) -> None:
    assert wire.unpacked(PACKED[coding], "") == PLAIN


@all_rows("coding", ["zstd", "gzip", "deflate", "br"])
def test_a_body_that_is_not_in_its_coding_stays(coding: str) -> None:
    assert wire.unpacked(b"{}", coding) == b"{}"


def test_a_body_that_swells_is_left_in_time() -> None:
    bomb = gzip.compress(bytes(wire.MOST * 3))
    assert 0 < len(wire.unpacked(bomb, "gzip")) <= wire.MOST


@given(st.binary(), st.sampled_from([*PACKED, "gzip,zstd,br,deflate"]))
def test_any_bytes_in_any_coding(data: bytes, coding: str) -> None:
    assert isinstance(wire.unpacked(data, coding), bytes)
    for each in wire.events(data):
        assert isinstance(each.kind, str)
