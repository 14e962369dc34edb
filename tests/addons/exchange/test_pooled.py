"""An answer's events mean the same, however the stream is cut; tests/proxy plays every fault through the real proxy."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.outcomes import Kind
from accounts.choice.selection import Ask
from accounts.store.store import Store
from accounts.turn.state import Phase
from addons.attempts.protocol import Answer, Send, Signal
from addons.exchange.patience import Limits
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.redaction import flows
from tests.addons.wire.test_events import FAILING
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of


def event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


CREATED, DELTA, COMPLETED = map(event, ("response.created", "response.output_text.delta", "response.completed"))
FAILED = event("response.failed", response={"error": {"code": "something_new"}})
GOOD = CREATED + DELTA * 3 + COMPLETED
BROKEN = CREATED + DELTA * 3 + FAILED
UNFINISHED = CREATED + DELTA * 3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolService]:
    yield from opened(tmp_path_factory.mktemp("home") / "rotate" / "pool.db")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[PoolService]:
    yield from opened(tmp_path / "rotate" / "pool.db")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[PoolService]:
    yield from opened(tmp_path / "rotate" / "pool.db", "ab")


def opened(path: Path, names: str = "a") -> Iterator[PoolService]:
    """A pool of one account, as the proxy has it, or of several."""
    with Store(path) as store:
        for name in names:
            store.put_account(account(name, plan="plus"), credentials(name, expires_at=NOW + HOUR)).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("asked for new tokens")

    service = PoolService(path, Clock(), nobody)
    yield service
    service.close()


def begun(service: PoolService, chunks: list[bytes]) -> tuple[PooledRequest, list[bytes]]:
    """A request whose answer comes in these chunks, b"" for an early end, and is about to be delivered; and what was
    held back of them."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(service, flow, flows.FlowRedactor(), Ask(thread="t"), Limits(capture_bytes=1 << 20))
    assert isinstance(exchange.start(), Send)
    response = http.Response.make(200, b"", {"content-type": "text/event-stream"})
    assert exchange.head(response) is Signal.WAIT
    held = 0
    for held, chunk in enumerate(chunks, 1):  # noqa: B007 - how many were held back
        if (exchange.body(chunk) if chunk else exchange.end()) is Signal.DELIVER:
            break
    assert exchange.served_by or exchange.turn.phase is Phase.REFUSED
    flow.response, response.data.content = response, None  # as of any answer that is streamed
    exchange.delivering(response)
    return exchange, chunks[:held]


def passing(exchange: PooledRequest, chunks: list[bytes]) -> bytes:
    """What the client gets of these, on their way to it."""
    assert exchange.flow.response is not None
    stream = exchange.flow.response.stream
    assert callable(stream)
    got = [stream(chunk) for chunk in chunks]
    return b"".join(part for part in got if isinstance(part, bytes))


def served(service: PoolService, chunks: list[bytes]) -> tuple[PooledRequest, bytes]:
    """A request whose answer comes in these chunks, as mitmproxy hands them on; and what the client gets."""
    exchange, _ = begun(service, chunks)
    got = passing(exchange, [*chunks, b""])
    exchange.finished()
    return exchange, got


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
    assert [outcome.kind for outcome in exchange.turn.log.outcomes] == [kind]
    assert got == whole
    assert exchange.flow.response is not None
    assert exchange.flow.response.raw_content == whole


def test_what_cannot_be_made_sense_of_still_passes(
    service: PoolService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also in the piece with which an answer begins: by then it is the client's."""

    def broken(*_: object) -> None:
        raise ValueError("broken by a test")

    monkeypatch.setattr("addons.exchange.observe.from_output", broken)
    exchange, got = served(service, [CREATED, DELTA + DELTA, COMPLETED])
    assert got == CREATED + DELTA + DELTA + COMPLETED
    assert exchange.turn.log.outcomes[0].kind is Kind.OK
    assert "an answer passes unread because of a defect in the addon: ValueError" in caplog.text


# --- one side leaves before the stream has ended ---------------------------------------------------------------------

type Leave = Callable[[PooledRequest], None]


def leave(exchange: PooledRequest) -> None:
    exchange.gone()


def break_off(exchange: PooledRequest) -> None:
    exchange.broke("peer closed connection")


def came_to(exchange: PooledRequest) -> tuple[list[Kind], str, bool]:
    """What is booked, what the flow says of it, and whether the thread has its home."""
    pool = exchange.service.pool
    assert pool.in_flight(key_of("a")) == 0
    kinds = [outcome.kind for outcome in exchange.turn.log.outcomes]
    return kinds, exchange.flow.metadata["codex_rotate.done"], pool.place("t", NOW).home == key_of("a")


@pytest.mark.parametrize("go", [leave, break_off])
@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (COMPLETED, Kind.OK),
        (event("response.incomplete"), Kind.OK),
        (FAILED, Kind.FAILED_AFTER_OUTPUT),
    ],
)
def test_an_ending_that_has_passed_is_what_is_booked(fresh: PoolService, go: Leave, ending: bytes, kind: Kind) -> None:
    """The official client hangs up at the last event, before the stream has ended."""
    chunks = [CREATED, DELTA, ending]
    for key in "xyz":
        fresh.pool.storm.record(key, NOW)
    exchange, _ = begun(fresh, chunks)
    passing(exchange, chunks)
    go(exchange)
    assert fresh.pool.storm.on(NOW) is (kind is not Kind.OK)
    assert came_to(exchange) == ([kind], "delivered", kind is Kind.OK)
    assert exchange.complete
    go(exchange)  # it may be said more than once
    assert came_to(exchange)[0] == [kind]
    assert exchange.flow.response is not None
    assert exchange.flow.response.raw_content == b"".join(chunks)


@pytest.mark.parametrize(
    ("go", "kind", "done"),
    [(leave, Kind.CLIENT_GONE, "the client left"), (break_off, Kind.TRUNCATED, "broken off by upstream")],
)
@pytest.mark.parametrize("held", [False, True], ids=["not seen", "seen and held back"])
def test_an_ending_that_the_client_has_not_got_decides_nothing(
    fresh: PoolService, go: Leave, kind: Kind, done: str, held: bool
) -> None:
    """Also when it came in the piece with which the answer begins, and a hook kept that waiting."""
    chunks = [CREATED, DELTA + COMPLETED] if held else [CREATED, DELTA, DELTA]
    exchange, held_back = begun(fresh, chunks)
    passing(exchange, held_back[:1] if held else chunks)
    go(exchange)
    assert came_to(exchange) == ([kind], done, False)
    assert not exchange.complete


def test_an_ending_that_was_held_back_counts_once_it_has_passed(fresh: PoolService) -> None:
    exchange, held_back = begun(fresh, [CREATED, DELTA + COMPLETED])
    passing(exchange, held_back)
    exchange.gone()
    assert came_to(exchange) == ([Kind.OK], "delivered", True)


@pytest.mark.parametrize("got_it", [True, False])
def test_a_failure_with_which_an_answer_begins_is_its_ending_too(fresh: PoolService, got_it: bool) -> None:
    """Nobody else could serve, so the client gets it, and hangs up."""
    exchange, held_back = begun(fresh, [CREATED, FAILED])
    passing(exchange, held_back if got_it else held_back[:1])
    exchange.gone()
    assert came_to(exchange) == ([Kind.FAILED_IN_STREAM], "delivered" if got_it else "the client left", False)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/event-stream", CREATED),
        (200, "text/event-stream", b""),
        (200, "text/html", b"<html>"),
        (200, "application/json", b'{"error":{"type":"server_error","code":"server_is_overloaded"}}'),
        (204, "", b""),
        (302, "", b""),
    ],
)
def test_what_is_no_answer_and_no_refusal_is_none_to_pass_on(
    fresh: PoolService, status: int, content_type: str, body: bytes
) -> None:
    """The client asks again in silence after a 502, and complains of a success that it cannot read."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(fresh, flow, flows.FlowRedactor(), Ask(thread="t"))
    assert isinstance(exchange.start(), Send)
    assert exchange.head(http.Response.make(status, b"", {"content-type": content_type})) is Signal.WAIT
    assert not body or exchange.body(body) is Signal.WAIT
    step = exchange.end()
    assert isinstance(step, Answer)
    assert step.response.status_code == 502


UNPACED = [each for each in FAILING if "rate" not in json.dumps(each) and each.get("status") != 429]
"""Those that ask for no patience with the same account."""


@pytest.mark.parametrize("said", UNPACED)
def test_an_error_of_any_name_before_output_is_not_the_client_s(two: PoolService, said: dict[str, object]) -> None:
    """It would take no notice of it, and ask the same account again when the stream ends."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(two, flow, flows.FlowRedactor(), Ask(thread="t"))
    first = exchange.start()
    assert exchange.head(http.Response.make(200, b"", {"content-type": "text/event-stream"})) is Signal.WAIT
    second = exchange.body(CREATED + b"data: " + json.dumps(said).encode() + b"\n\n")
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert first.key != second.key


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "context_length_exceeded"}, Kind.REQUEST_FAULT),
        ({"type": "invalid_request_error", "code": "invalid_value"}, Kind.REQUEST_FAULT),
        ({"code": "previous_response_not_found"}, Kind.UNKNOWN_RESPONSE),
        ({"code": "invalid_encrypted_content"}, Kind.INVALID_SEALED),
        ({"code": "model_not_found"}, Kind.UNSUPPORTED_MODEL),
    ],
)
def test_a_success_that_blames_the_request_is_delivered_as_the_refusal_that_it_is(
    fresh: PoolService, error: dict[str, str], kind: Kind
) -> None:
    """After a 502 the client would ask again, and in vain each time."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(fresh, flow, flows.FlowRedactor(), Ask(thread="t"))
    assert isinstance(exchange.start(), Send)
    response = http.Response.make(200, b"", {"content-type": "application/json"})
    assert exchange.head(response) is Signal.WAIT
    assert exchange.body(json.dumps({"error": error}).encode()) is Signal.WAIT
    assert exchange.end() is Signal.DELIVER
    assert (response.status_code, response.reason) == (400, "Bad Request")
    exchange.delivering(response)
    exchange.finished()
    assert [outcome.kind for outcome in exchange.turn.log.outcomes] == [kind]


@pytest.mark.parametrize("seen", [False, True])
def test_of_what_passes_unread_only_an_ending_that_was_seen_counts(
    fresh: PoolService, monkeypatch: pytest.MonkeyPatch, seen: bool
) -> None:
    """Whether the client left at the end or on the way cannot be told otherwise."""

    def broken(*_: object) -> None:
        raise ValueError("broken by a test")

    monkeypatch.setattr("addons.exchange.observe.from_output", broken)
    chunks = [CREATED + event("response.in_progress"), COMPLETED + DELTA if seen else DELTA + COMPLETED]
    exchange, _ = begun(fresh, chunks)
    passing(exchange, chunks)
    assert exchange.reading is not None
    assert exchange.reading.passing is not None
    assert not exchange.reading.passing.is_open
    exchange.gone()
    assert came_to(exchange)[:2] == (([Kind.OK], "delivered") if seen else ([Kind.CLIENT_GONE], "the client left"))


@pytest.mark.parametrize("jump", [-30 * 24 * HOUR, -HOUR, 60, HOUR, 30 * 24 * HOUR])
def test_an_account_that_says_nothing_has_its_time_whatever_somebody_does_to_the_clock(
    tmp_path: Path, jump: float
) -> None:
    wall, steady, path = Clock(), Clock(1000.0), tmp_path / "rotate" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name)).result()
    service = PoolService(path, wall, steady=steady)
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(service, flow, flows.FlowRedactor(), Ask(thread="t"), Limits(head_seconds=20))
    first = exchange.start()
    wall.advance(jump)
    steady.advance(10)
    assert exchange.overdue() is Signal.WAIT
    assert exchange.patience() == 10
    steady.advance(10)
    second = exchange.overdue()
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert first.key != second.key
    service.close()
