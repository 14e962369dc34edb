"""What a bench client asks of the bench upstream, and the bytes of the answer. Both sides share this; it is pure.

An order travels in a request header, which proxies pass on. So upstream needs no control channel, and requests that
want different things can be under way at the same time.
"""

import functools
import json
from dataclasses import asdict, dataclass
from typing import Final

HOST: Final = "chatgpt.com"
PATH: Final = "/backend-api/codex/responses"
HEADER: Final = "x-bench"
THREAD: Final = "thread-id"
SENT: Final = b'"sent":'
"""What follows it in an event is when upstream wrote it, on the clock that all processes of a machine share."""
REST_SECONDS: Final = 2
"""How long an account that was refused is at its limit: over before the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One answer: so many pieces of text of `size` bytes, all at once or `gap` seconds apart. The first `fails`
    attempts for a thread get a 429, on a WebSocket inside of it. With `hold` the answer begins, and never ends.
    With `closes` the connection ends with it."""

    events: int = 8
    size: int = 16
    gap: float = 0.0
    fails: int = 0
    hold: bool = False
    closes: bool = False

    def header(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def messages(self) -> int:
        """Events of the whole answer: two before the text, one after it."""
        return self.events + 3


@functools.cache
def order_of(header: str) -> Order:
    """The order in a header; the usual one where there is none."""
    return Order(**json.loads(header)) if header else Order()


@functools.cache
def events_of(order: Order) -> tuple[bytes, ...]:
    """The JSON events of an answer. Where they are sent with gaps, a piece of text ends in a place for its time."""
    head = {"id": "resp_bench", "object": "response", "created_at": 1_800_000_000, "model": "gpt-5"}
    text = {"type": "response.output_text.delta", "item_id": "msg_bench", "output_index": 0, "content_index": 0}
    begins = {"response": {**head, "status": "in_progress", "output": []}}
    piece = _json({**text, "delta": "x" * order.size})
    if order.gap:
        piece = piece[:-1] + b"," + SENT + b"%.6f}"
    usage = {"input_tokens": 9_000, "output_tokens": order.events, "total_tokens": 9_000 + order.events}
    ends = {"type": "response.completed", "response": {**head, "status": "completed", "output": [], "usage": usage}}
    first = [_json({"type": f"response.{kind}", **begins}) for kind in ("created", "in_progress")]
    return (*first, *[piece] * order.events, _json(ends))


def sse(event: bytes) -> bytes:
    """An event on its way in an event stream."""
    return b"data: " + event + b"\n\n"


ANSWER_HEADERS: Final = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("x-codex-primary-used-percent", "12"),
    ("x-codex-primary-window-minutes", "300"),
    ("x-codex-primary-reset-at", "9000"),
    ("x-codex-secondary-used-percent", "34"),
    ("x-codex-secondary-window-minutes", "10080"),
    ("x-codex-secondary-reset-at", "300000"),
    ("x-codex-turn-state", "state-of-a-bench"),
    ("x-request-id", "req_bench"),
    ("set-cookie", "__cf_bm=bench; path=/; Secure; HttpOnly"),
)
"""As upstream sends them; what the addon learns from is there, so that learning is measured too."""


def refusal() -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and body of the 429 that says an account is at its limit for REST_SECONDS."""
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_in_seconds": REST_SECONDS,
    }
    body = _json({"error": error})
    return (("content-type", "application/json"), ("content-length", str(len(body)))), body


def refusal_in_band() -> bytes:
    """The same as a message on a WebSocket."""
    _, body = refusal()
    return _json({"type": "error", "status": 429, **json.loads(body)})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
