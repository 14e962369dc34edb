"""Large requests: sent again in full to the next account, byte by byte, however mitmproxy is set to stream."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Final

import pytest
import zstandard

from standin import FaultKind
from tests.harness import options
from tests.proxy.clients import RESPONSES, Got, Http2, got, http1, turn1
from tests.proxy.conftest import Bench, open_bench

SIZE: Final = 9_000_000
"""More than any window or buffer on the way."""
NOISE: Final = base64.b64encode(random.Random(20).randbytes(SIZE * 3 // 4)).decode()
PLAIN: Final = json.dumps({"model": "gpt-5", "input": [{"type": "message", "content": NOISE}]}).encode()
ZSTD: Final = zstandard.compress(PLAIN, level=1)
STREAMING: Final = "1m"


@pytest.fixture(scope="module", params=[None, STREAMING], ids=["kept", "stream_large_bodies=1m"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir) -> Iterator[Bench]:
    settings = {"stream_large_bodies": request.param} if request.param else {}
    yield from open_bench(tmp_path_factory.mktemp("bench"), confdir, options(**settings))


@pytest.fixture
def streaming(bench: Bench) -> Bench:
    """Only where mitmproxy streams large bodies."""
    if f"stream_large_bodies={STREAMING}" not in bench.proxy.flags:
        pytest.skip("needs stream_large_bodies")
    return bench


def send(bench: Bench, version: str, body: bytes, **more: str) -> Got:
    headers = bench.headers(content_length=str(len(body)), **more)
    if version == "h1":
        with http1(bench.proxy) as client:
            return turn1(client, headers, body)
    with Http2(bench.proxy) as client:
        return client.turn(headers, body)


@pytest.mark.parametrize(("version", "encoding"), [("h1", "plain"), ("h2", "zstd")])
def test_a_large_body_is_sent_again_in_full(bench: Bench, version: str, encoding: str):
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    body, more = (ZSTD, {"content_encoding": "zstd"}) if encoding == "zstd" else (PLAIN, {})
    answer = send(bench, version, body, **more)
    assert answer.text == bench.second.answer
    assert bench.served_by() == ["first", "second"]
    for seen in bench.seen():
        assert seen.raw_body_length == len(body)
        assert seen.body == PLAIN
        assert seen.header("content-encoding") == (None if encoding == "plain" else "zstd")


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_large_body_of_unknown_length_goes_once(streaming: Bench, version: str):
    """mitmproxy passes it on as it comes: there is nothing to send again, so the refusal is the answer."""
    bench = streaming
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    if version == "h1":
        pieces = (PLAIN[at : at + 65536] for at in range(0, len(PLAIN), 65536))
        with http1(bench.proxy) as client:
            answer = got(client.post(RESPONSES, headers=bench.headers(), content=pieces))
    else:
        with Http2(bench.proxy) as client:
            answer = client.turn(bench.headers(), PLAIN)
    assert answer.status == 429
    assert answer.error["type"] == "usage_limit_reached"
    assert bench.served_by() == ["first"]
    assert bench.seen()[0].body == PLAIN
    bench.proxy.output.wait_for(r"codex-rotate: .*(cannot|not) be (sent|tried|asked) (again|twice)|sent once")
    assert bench.happened(bench.first, "usage_limit")


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_large_body_of_unknown_length_is_answered_by_a_healthy_account(streaming: Bench, version: str):
    bench = streaming
    if version == "h1":
        pieces = (PLAIN[at : at + 65536] for at in range(0, len(PLAIN), 65536))
        with http1(bench.proxy) as client:
            answer = got(client.post(RESPONSES, headers=bench.headers(), content=pieces))
    else:
        with Http2(bench.proxy) as client:
            answer = client.turn(bench.headers(), PLAIN)
    assert answer.text == bench.first.answer
    assert bench.seen()[0].body == PLAIN
