"""An answer's events mean the same, however the stream is cut; tests/proxy plays every fault through the real proxy."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.outcomes import Kind
from accounts.selection import Ask
from accounts.store import Store
from addons import redact
from addons.capture import Capture
from addons.exchange import Pooled
from addons.service import PoolService
from addons.steps import Send, Signal
from tests.builders import HOUR, NOW, Clock, account, credentials


def event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


CREATED, DELTA, COMPLETED = map(event, ("response.created", "response.output_text.delta", "response.completed"))
FAILED = event("response.failed", response={"error": {"code": "something_new"}})
GOOD = CREATED + DELTA * 3 + COMPLETED
BROKEN = CREATED + DELTA * 3 + FAILED
UNFINISHED = CREATED + DELTA * 3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolService]:
    path: Path = tmp_path_factory.mktemp("home") / "rotate" / "pool.db"
    with Store(path) as store:
        store.put_account(account("a", plan="plus"), credentials("a", expires_at=NOW + HOUR)).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("asked for new tokens")

    opened = PoolService(path, Clock(), nobody)
    yield opened
    opened.close()


def served(service: PoolService, chunks: list[bytes]) -> tuple[Pooled, bytes]:
    """A request whose answer comes in these chunks, as mitmproxy hands them on; and what the client gets."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = Pooled(service, flow, redact.Shown(), Ask(thread="t"))
    exchange.capture = Capture(1 << 20)
    assert isinstance(exchange.start(), Send)
    response = http.Response.make(200, b"", {"content-type": "text/event-stream"})
    assert exchange.head(response) is Signal.WAIT
    held = 0
    for held, chunk in enumerate(chunks, 1):  # noqa: B007 - how many were held back
        if exchange.body(chunk) is Signal.DELIVER:
            break
    assert exchange.delivered
    flow.response, response.data.content = response, None  # as of any answer that is streamed
    exchange.delivering(response)
    assert callable(response.stream)
    got = [response.stream(chunk) for chunk in (*chunks[:held], *chunks[held:], b"")]
    exchange.finished()
    return exchange, b"".join(part for part in got if isinstance(part, bytes))


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(whole)) for place in places} | {len(whole)})
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


@pytest.mark.parametrize(
    ("whole", "kind"), [(GOOD, Kind.OK), (BROKEN, Kind.FAILED_AFTER_OUTPUT), (UNFINISHED, Kind.TRUNCATED)]
)
@given(places=st.lists(st.integers(1, len(BROKEN)), max_size=8))
def test_the_verdict_is_the_same_however_a_stream_is_cut(
    service: PoolService, whole: bytes, kind: Kind, places: list[int]
) -> None:
    exchange, got = served(service, cut(whole, places))
    assert [outcome.kind for outcome in exchange.turn.outcomes] == [kind]
    assert got == whole
    assert exchange.flow.response is not None
    assert exchange.flow.response.raw_content == whole


def test_what_cannot_be_made_sense_of_still_passes(
    service: PoolService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also in the piece with which an answer begins: by then it is the client's."""

    def broken(*_: object) -> None:
        raise ValueError("broken by a test")

    monkeypatch.setattr("addons.learning.from_output", broken)
    exchange, got = served(service, [CREATED, DELTA + DELTA, COMPLETED])
    assert got == CREATED + DELTA + DELTA + COMPLETED
    assert exchange.turn.outcomes[0].kind is Kind.OK
    assert "an answer passes unread because of a defect in the addon: ValueError" in caplog.text
