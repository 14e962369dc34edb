"""Decision records: how a request was served, as the bounded history keeps it. Pure."""

import json
from enum import StrEnum
from typing import Final, NamedTuple

from accounts.model import Event

DECISION: Final = "decision"
"""The kind of event that tells how a request was served."""


class AttemptRow(NamedTuple):
    """One row of a decision record. `seconds` is how long it took until its outcome was known."""

    account: str
    why: str
    kind: str
    detail: str
    seconds: float


class Record(NamedTuple):
    """How a request was served: what became of it, for which model, in how many seconds, and each attempt; who asked,
    with which key, and the rule that has refused it ("": none)."""

    done: str
    model: str = ""
    seconds: float = 0.0
    attempts: tuple[AttemptRow, ...] = ()
    person: str = ""
    client_key: str = ""
    rule: str = ""


class Decided(NamedTuple):
    """A decision record, and the event in which the history keeps it."""

    record: Record
    event: Event


class Done(StrEnum):
    """What became of a turn."""

    DELIVERED = "delivered"
    CONTINUED = "continued on another account"
    """The answer's account has died after output, and another one has gone on with it."""
    COMPLETED = "ended after its tool calls"
    """The answer's account has died after a tool call: the client got an end of our making, and asks anew."""
    PASSED_ON = "passed on"
    """The client got the words with which upstream has refused, in its WebSocket."""
    BROKEN_OFF = "broken off by upstream"
    STALLED = "given up after a long silence"
    CLIENT_LEFT = "the client left"
    SOCKET_CLOSED = "the socket was closed"
    OURS = "answered by the proxy"
    """No account has answered."""
    RECONNECTS = "told to reconnect"
    """The turn goes on, unseen by the user, on another socket."""


def read_record(event: Event) -> Record:
    """The decision record in an event of the history. One of another version, which says other things, is empty."""
    try:
        told = json.loads(event.detail)
        attempts = tuple(
            AttemptRow(
                account=str(each["account"]),
                why=str(each["why"]),
                kind=str(each["kind"]),
                detail=str(each["detail"]),
                seconds=float(each["seconds"]),
            )
            for each in told["attempts"]
        )
        return Record(
            done=str(told["done"]),
            model=str(told["model"]),
            seconds=float(told["seconds"]),
            attempts=attempts,
            person=str(told.get("person", "")),
            client_key=str(told.get("client_key", "")),
            rule=str(told.get("rule", "")),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Record(done="told in words of another version")
