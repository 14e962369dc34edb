"""Reads saved flows and says of each turn what happened: for a bug report that comes with a capture and no pool.

A capture of codex-rotate says it in its metadata (`addons/recording/annotations.py`); of any other one only the wire is
known.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mitmproxy import http

from accounts.ledger.projects import project_of
from accounts.requests.identity import TURN_METADATA, metadata_in, model_of, thread_in, thread_of
from addons.inspection.answer import Tokens, tokens_of
from addons.recording.annotations import PERSON, PREFIX
from addons.wire import events as streams
from addons.wire import messages
from config import decoding

PATHS: Final = ("/responses", "/responses/compact")
"""How the paths of model requests end, wherever the provider has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One account that was asked: what came of it. `status` is 0 where there was no answer."""

    account: str
    kind: str
    status: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One turn. `at` is in seconds since the epoch, `first` and `seconds` are from the request on (None: unknown).
    `person` and `project` are who asked, and for what, "" where nobody knows."""

    at: float
    thread: str
    transport: str
    model: str
    asked: tuple[Asked, ...]
    done: str
    first: float | None
    seconds: float | None
    tokens: Tokens | None
    person: str = ""
    project: str = ""


def explained(flows: Iterable[object]) -> Iterator[Explained]:
    """The turns of a capture, in its order. Flows that are no model request are left out. Never raises."""
    for flow in flows:
        if isinstance(flow, http.HTTPFlow) and _is_model_request(flow.request):
            if flow.websocket is not None and flow.websocket.messages:
                yield from _of_socket(flow)
            else:
                yield _of_request(flow)


def _is_model_request(request: http.Request) -> bool:
    path = request.path.partition("?")[0]
    return path.endswith(PATHS) and request.method in {"GET", "POST"}


def _of_request(flow: http.HTTPFlow) -> Explained:
    began, response = flow.request.timestamp_start or 0.0, flow.response
    events = list(_events(_said(response))) if response is not None else []
    body = messages.plain_body(flow.request)
    said = streams.decoded(body)
    return Explained(
        at=began,
        thread=str(flow.metadata.get(f"{PREFIX}thread") or thread_of(flow.request.headers.get) or thread_in(body)),
        transport=str(
            flow.metadata.get(f"{PREFIX}transport") or ("websocket" if messages.is_upgrade(flow.request) else "http")
        ),
        model=str(flow.metadata.get(f"{PREFIX}model") or model_of(flow.request.headers.get) or said.get("model") or ""),
        asked=tuple(_asked(flow.metadata.get(f"{PREFIX}attempts"))),
        done=_done(flow, events),
        first=_since(began, response.timestamp_start if response is not None else None),
        seconds=_since(began, response.timestamp_end if response is not None else None),
        tokens=_tokens(events),
        person=_person(flow),
        project=_project(flow),
    )


def _person(flow: http.HTTPFlow) -> str:
    return str(flow.metadata.get(PERSON) or "")


def _project(flow: http.HTTPFlow, message: bytes = b"") -> str:
    """By the head of the request, or by the `message` that asks in a socket."""
    said = metadata_in(message) if message else ""
    return project_of(said or flow.request.headers.get(TURN_METADATA) or "")


def _of_socket(flow: http.HTTPFlow) -> Iterator[Explained]:
    """A turn for each `response.create`. Which accounts were asked is in the metadata of the last turns."""
    assert flow.websocket is not None
    turns: list[dict[str, Any]] = []
    for message in flow.websocket.messages:
        kind = streams.event_type(message.content)
        if message.from_client:
            if kind == streams.CREATE:
                turns.append(
                    {"at": message.timestamp, "asked": message.content, "events": [], "first": None, "end": None}
                )
        elif turns:
            turn = turns[-1]
            turn["events"].append((kind, message.content))
            turn["end"] = message.timestamp
            if turn["first"] is None and streams.meaning_of(kind, message.content) is not streams.Meaning.PRELUDE:
                turn["first"] = message.timestamp
    recorded = flow.metadata.get(f"{PREFIX}turns")
    known: list[Any] = list(recorded) if isinstance(recorded, list) else []
    for place, turn in enumerate(turns):
        behind = place - len(turns)
        record = known[behind] if -behind <= len(known) and isinstance(known[behind], Mapping) else {}
        said = streams.decoded(turn["asked"])
        yield Explained(
            at=turn["at"],
            thread=thread_of(flow.request.headers.get) or thread_in(turn["asked"]),
            transport="websocket",
            model=str(said.get("model") or ""),
            asked=tuple(_asked(record.get("attempts"))),
            done=str(record.get("done") or _verdict(turn["events"]) or "no end"),
            first=_since(turn["at"], turn["first"]),
            seconds=_since(turn["at"], turn["end"]),
            tokens=_tokens(turn["events"]),
            person=_person(flow),
            project=_project(flow, turn["asked"]),
        )


def _said(response: http.Response) -> bytes:
    """An answer's body as far as it can be read: a capture may hold no more than its beginning."""
    try:
        coding = response.headers.get("content-encoding", "identity")
        return decoding.beginning(response.raw_content or b"", coding, decoding.MOST_SHOWN)
    except decoding.CannotDecode:
        return b""


def _events(body: bytes) -> Iterator[tuple[str, bytes]]:
    reader = streams.Events()
    yield from reader.feed(body)
    yield from reader.feed(b"\n\n")  # one that was cut off before its end


def _done(flow: http.HTTPFlow, events: list[tuple[str, bytes]]) -> str:
    told = flow.metadata.get(f"{PREFIX}done")
    if told:
        return str(told)
    if flow.response is None:
        return f"no answer: {flow.error.msg}" if flow.error else "no answer"
    return f"{flow.response.status_code} {_verdict(events)}".strip()


def _verdict(events: list[tuple[str, bytes]]) -> str:
    """How a stream ended: the type of its last event that says so."""
    ends = [kind for kind, _ in events if streams.meaning(kind) in {streams.Meaning.ENDING, streams.Meaning.FAILURE}]
    return ends[-1].removeprefix("response.") if ends else ""


def _asked(attempts: object) -> Iterator[Asked]:
    for each in attempts if isinstance(attempts, list) else ():
        if isinstance(each, Mapping):
            status = each.get("status")
            yield Asked(
                account=str(each.get("account", "")),
                kind=str(each.get("kind", "")),
                status=status if isinstance(status, int) else 0,
                detail=str(each.get("detail", "")),
            )


def _tokens(events: list[tuple[str, bytes]]) -> Tokens | None:
    """What the provider counted."""
    for kind, data in reversed(events):
        if kind == streams.COMPLETED:
            response = streams.decoded(data).get("response")
            return tokens_of(response.get("usage")) if isinstance(response, dict) else None
    return None


def _since(began: float, moment: float | None) -> float | None:
    if moment is None or not math.isfinite(moment - began):
        return None
    return max(0.0, moment - began)
