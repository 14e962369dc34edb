"""The client's own event streams reach it as they are made, and what is kept of them is bounded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader

from addons.recording.capture import CAPTURED
from standin.feeds import PATH
from tests.harness import eventually, options
from tests.proxy.clients import Http2, http1
from tests.proxy.conftest import Bench, open_bench

TROUBLES = False

KEPT: Final = 1_000
INITIALIZE: Final = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'


@pytest.fixture(scope="module", params=[True, False], ids=["http2 upstream", "http1 upstream"])
def saving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[tuple[Bench, Path]]:
    class Module:
        HTTP2 = request.param

    folder = tmp_path_factory.mktemp("streams")
    file = folder / "saved.flow"
    flags = [*options(rotate_head_timeout=1, rotate_capture_limit=KEPT), "-w", str(file)]
    for bench in open_bench(folder, confdir, flags, Module):
        bench.upstream.open_feeds()
        yield bench, file


@pytest.fixture
def bench(saving: tuple[Bench, Path]) -> Bench:
    saving[0].start_test()
    return saving[0]


@pytest.fixture
def file(saving: tuple[Bench, Path]) -> Path:
    return saving[1]


def said(number: int) -> dict[str, object]:
    return {"type": "message", "number": number, "padding": "x" * 100}


def test_http1_hears_each_event_when_it_is_said(bench: Bench) -> None:
    with (
        http1(bench.proxy) as client,
        client.stream("POST", PATH, headers=bench.headers(), content=INITIALIZE) as answer,
    ):
        lines = answer.iter_lines()
        for number in range(20):
            bench.upstream.say(said(number))
            assert [json.loads(line[6:]) for line in _next(lines, 3) if line.startswith("data: ")] == [said(number)]
        bench.upstream.end_feeds()
        assert not list(lines)
    assert bench.served_by(PATH) == ["own"]


def test_http2_hears_each_event_when_it_is_said(bench: Bench) -> None:
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers(), path=PATH, body=INITIALIZE)
        client.until(asked, lambda seen: seen.status == 200)
        for number in range(20):
            bench.upstream.say(said(number))
            heard = client.until(asked, lambda seen, many=number + 1: len(seen.events) == many)  # type: ignore[misc]
            assert not heard.ended
        bench.upstream.end_feeds()
        assert client.answer(asked).events == [said(number) for number in range(20)]
    assert bench.served_by(PATH) == ["own"]


def test_a_client_that_leaves_ends_the_stream(bench: Bench) -> None:
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers(), path=PATH, body=INITIALIZE)
        client.until(asked, lambda seen: seen.status == 200)
        client.cancel(asked)
        assert bench.upstream.wait_for(lambda: bench.seen()[-1].disconnected)


def test_the_beginning_is_kept_for_whoever_looks(bench: Bench, file: Path) -> None:
    """As much as the limit says, of what was said meanwhile."""
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers(), path=PATH, body=INITIALIZE)
        client.until(asked, lambda seen: seen.status == 200)
        for number in range(50):
            bench.upstream.say(said(number))
        bench.upstream.end_feeds()
        whole = bytes(client.answer(asked).body)
    assert eventually(lambda: _flows(file, bench))
    [flow] = _flows(file, bench)
    assert flow.response is not None
    assert flow.response.raw_content == whole[:KEPT]
    assert flow.metadata[CAPTURED] == [KEPT, len(whole)]


def test_an_answer_with_a_length_is_one_piece(bench: Bench, file: Path) -> None:
    """It can be changed by whoever wants to, and is kept whole."""
    with http1(bench.proxy) as client:
        answer = client.get("/backend-api/wham/usage", headers=bench.headers())
    assert "content-length" in answer.headers
    assert eventually(lambda: _flows(file, bench, "/backend-api/wham/usage"))
    [flow] = _flows(file, bench, "/backend-api/wham/usage")
    assert flow.response is not None
    assert flow.response.raw_content
    assert CAPTURED not in flow.metadata


def _next(lines: Iterator[str], many: int) -> list[str]:
    return [next(lines) for _ in range(many)]


def _flows(file: Path, bench: Bench, path: str = PATH) -> list[http.HTTPFlow]:
    """This test's flows, as somebody else reads them from the file."""
    with file.open("rb") as saved:
        found = [each for each in FlowReader(saved).stream() if isinstance(each, http.HTTPFlow)]
    return [
        each for each in found if each.request.headers.get("thread-id") == bench.thread and each.request.path == path
    ]
