"""What may be said of a fault, and what its answer depends on."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypedDict


class Point(IntEnum):
    """Where in an answer a fault strikes."""

    HEAD = 0
    """Before the response head (HTTP), on the upgrade or before the first event of an answer (WebSocket)."""
    START = 1
    """After the head, before any event."""
    CREATED = 2
    """After `response.created`, before output."""
    SHELL = 3
    """After the shell of an output item: it was added, and there is nothing in it yet."""
    OUTPUT = 4
    """After the first piece of output."""
    LAST = 5
    """After the last event, before the end of the stream."""
    EVENT = 6
    """Before a certain event of an answer."""


class Action(StrEnum):
    """What a fault does at its point."""

    REPLY = "reply"
    EVENT = "event"
    HOLD = "hold"
    DELAY = "delay"
    END = "end"
    DRESS = "dress"
    """The stream is as it should be, under another content type or in a coding."""
    CLOSE_FRAME = "close_frame"
    PART = "part"
    """The answer is whole; then the server is done with the connection."""
    RESET = "reset"
    CLOSE = "close"
    STREAM_RESET = "stream_reset"
    GOAWAY = "goaway"


GOES_ON = frozenset({Action.HOLD, Action.DELAY, Action.DRESS, Action.PART})
"""After these an answer is as it would have been. What is held comes only when it is released."""


class Phase(StrEnum):
    """The occasions at which a fault can strike."""

    REQUEST = "request"
    UPGRADE = "upgrade"
    ACCEPTED = "accepted"
    """Right after the 101, before any message."""
    MESSAGE = "message"


class Asked(TypedDict, total=False):
    """What may matter of a request: whether it is a warm-up, its size in bytes, and its step of a turn of several."""

    warm_up: bool
    size: int
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """How a fault looks, whatever its kind; None leaves it to the kind.

    `status`, `code` and `message` replace the kind's own; `resets_in` (seconds) gives the time of the reset, written as
    `resets_as` says (a key of `refusals.RESETS`); `retry_after` becomes the header of that name as written; `seconds`
    is how long a delay lasts; `close_code` is that of a close frame; `min_bytes` spares smaller messages.
    `content_type` ("" for none) and `coding` are the event stream's, the former that of a whole answer, too. `shape` is
    where the body of a usage limit keeps its error (a key of `refusals.SHAPES`).
    """

    status: int | None = None
    code: str | None = None
    message: str | None = None
    resets_in: float | None = None
    resets_as: str = "seconds"
    shape: str = "usual"
    retry_after: float | str | None = None
    seconds: float | None = None
    close_code: int | None = None
    min_bytes: int | None = None
    content_type: str | None = None
    coding: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault's answer depends on: its details, the account's plan and the time (seconds since the epoch)."""

    details: Details
    plan: str
    now: float
