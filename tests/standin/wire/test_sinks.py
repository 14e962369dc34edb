"""Where an answer goes: how a fault shows depends on what has been sent."""

import pytest

from standin import Fault, FaultKind
from standin.exchange import Exchange, Socket
from standin.records import Headers, Incoming, Record
from standin.replies import error_reply
from standin.state import State
from standin.wire.sinks import HttpSink, SocketSink, Stage

REQUEST = Incoming(method="GET", host="", path="/", headers=(), http_version="2", connection=1, secure=True)


class Wire(Exchange, Socket):
    """Both ends of an answer, which only remember what they were told."""

    def __init__(self) -> None:
        super().__init__(REQUEST)
        self.heard: list[str] = []

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self.heard.append(str(status))

    async def send(self, data: bytes | str) -> None:  # type: ignore[override]
        self.heard.append(data.decode() if isinstance(data, bytes) else data)

    async def end(self) -> None:
        self.heard.append("end")

    def reset(self) -> None:
        self.heard.append("reset")

    async def close(self, code: int | None = None) -> None:  # type: ignore[override]
        self.heard.append(f"close {code}")

    async def go_away(self) -> None:
        self.heard.append("goaway")

    async def receive(self) -> None:
        raise AssertionError


@pytest.fixture
def stage() -> Stage:
    state = State(clock=lambda: 1000.0)
    record = Record(request=REQUEST, body=b"", account_id=None, user_id=None)
    return Stage(state=state, record=record, ticket=state.ticket())


async def test_a_refusal_before_and_after_the_head(stage: Stage) -> None:
    """A status while there is still one to choose, an event afterwards."""
    wire = Wire()
    sink = HttpSink(stage, wire)
    await sink.refuse(error_reply(429, "c", "m"))
    assert wire.heard[0] == "429"
    assert stage.record.status == 429
    wire.heard.clear()
    await sink.refuse(error_reply(429, "c", "m"))
    assert wire.heard[0].startswith("event: error\n")
    assert wire.heard[1:] == ["end"]


async def test_a_refusal_on_a_socket(stage: Stage) -> None:
    """Always a message; the socket stays open."""
    wire = Wire()
    await SocketSink(stage, wire, wire).refuse(error_reply(429, "c", "m"))
    assert '"status": 429' in wire.heard[0]
    assert len(wire.heard) == 1


@pytest.mark.parametrize(
    ("kind", "heard"),
    [(FaultKind.RESET, "reset"), (FaultKind.CLOSE, "close None"), (FaultKind.GOAWAY, "goaway")],
)
async def test_cuts_close_the_record_first(stage: Stage, kind: FaultKind, heard: str) -> None:
    """What the client does after a cut of ours is not its leaving."""
    wire = Wire()
    assert not await HttpSink(stage, wire).act(Fault(kind))
    assert wire.heard == [heard]
    assert stage.record.closed


async def test_a_goaway_may_let_the_answer_go_on(stage: Stage) -> None:
    """If the exchange says so."""
    wire = Wire()
    wire.survives_goaway = True
    assert await HttpSink(stage, wire).act(Fault(FaultKind.GOAWAY))
    assert not stage.record.closed
