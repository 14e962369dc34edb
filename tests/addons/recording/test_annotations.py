"""The words of a flow's comment; tests/proxy/test_trail.py reads whole ones from saved flows."""

import re
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.decision_record import Decided, Done, Record
from accounts.choice.outcomes import Kind, Outcome
from accounts.model import Event
from accounts.turn.events import Ended, Failed
from addons.recording.annotations import FAILED, MOST_BODY, MOST_TURNS, FlowAnnotations, in_words, turn_over
from addons.redaction.flows import FlowRedactor
from tests.builders import NOW, begun, pool_of, turn_on


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (200, Outcome(kind=Kind.OK), "work 200"),
        (101, Outcome(kind=Kind.UPGRADED), "work 101"),
        (429, Outcome(kind=Kind.BURST_LIMIT), "work 429 burst limit"),
        (0, Outcome(kind=Kind.RESET), "work reset"),
        (429, Outcome(kind=Kind.USAGE_LIMIT, until=float("inf")), "work 429 usage limit until 9999-12-31 23:59"),
    ],
)
def test_an_attempt_in_words(status: int, outcome: Outcome, words: str) -> None:
    assert in_words("work", status, outcome, NOW) == words


def test_a_time_of_another_day_says_so() -> None:
    """A weekly limit's return must not look like today's."""
    later = Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 3 * 86_400)
    assert re.fullmatch(r"work 429 usage limit until [A-Z][a-z]{2} \d\d:\d\d", in_words("work", 429, later, NOW))


@pytest.fixture
def trail() -> FlowAnnotations:
    turn = turn_on(pool_of("a", "b"))
    begun(turn)
    return FlowAnnotations(tflow.tflow(), turn, FlowRedactor(), upgrade=False)


def test_a_large_answer_is_kept_in_part_and_a_cookie_not_at_all(trail: FlowAnnotations) -> None:
    shown = trail
    response = http.Response.make(503, b"", {"set-cookie": "session=secret", "content-type": "text/plain"})
    shown.turn.next(Failed(Outcome(kind=Kind.SERVER_ERROR)), NOW)
    shown.follow(response, b"\xff" + b"x" * MOST_BODY, delivered=False)
    shown.over(Done.OURS, NOW)
    (attempt,) = shown.flow.metadata["codex_rotate.attempts"]
    assert attempt["body"].endswith(f"… ({MOST_BODY + 1} bytes)")
    assert "secret" not in repr(shown.flow.metadata)
    assert response.headers["set-cookie"] == "session=secret"  # what goes to the client is as it was


def test_a_marker_of_the_user_stays(trail: FlowAnnotations) -> None:
    shown = trail
    shown.flow.marked = ":eyes:"
    shown.turn.next(Failed(Outcome(kind=Kind.SERVER_ERROR)), NOW)
    shown.follow(None, b"", delivered=False)
    shown.over(Done.OURS, NOW + 1)
    assert shown.flow.marked == ":eyes:"
    assert shown.flow.comment == "a server error, 1.0 s"


@pytest.mark.parametrize(
    ("kind", "minor", "marked"),
    [
        (Kind.SERVER_ERROR, False, FAILED),
        (Kind.UPGRADE_REFUSED, False, ""),  # the client goes on over HTTP at once
        (Kind.SERVER_ERROR, True, ""),
        (Kind.CLIENT_GONE, True, ""),
    ],
)
def test_what_nobody_notices_is_not_marked_as_a_failure(kind: Kind, minor: bool, marked: str) -> None:
    turn = turn_on(pool_of("a", "b"))
    begun(turn)
    shown = FlowAnnotations(tflow.tflow(), turn, FlowRedactor(), upgrade=False, minor=minor)
    turn.next(Ended(Outcome(kind=kind)), NOW)
    shown.follow(None, b"", delivered=False)
    shown.over(Done.DELIVERED, NOW)
    assert shown.flow.marked == marked


def test_a_flow_that_is_played_again_forgets_what_it_came_to() -> None:
    flow = tflow.tflow()
    flow.metadata |= {"codex_rotate.nobody": {"a": "paused"}, "somebody.else": 1}
    flow.marked = FAILED
    FlowAnnotations(flow, turn_on(pool_of("a")), FlowRedactor(), upgrade=False)
    assert (flow.marked, flow.metadata["somebody.else"]) == ("", 1)
    assert "codex_rotate.nobody" not in flow.metadata


def test_turns_of_a_socket_are_bounded() -> None:
    flow = tflow.tflow()
    for _ in range(MOST_TURNS + 5):
        turn_over(flow, Decided(Record("of another version"), Event(at=NOW, kind="decision")))
    assert len(flow.metadata["codex_rotate.turns"]) == MOST_TURNS


def test_what_is_shown_can_be_saved(trail: FlowAnnotations, tmp_path: Path) -> None:
    from mitmproxy.io import FlowReader, FlowWriter

    shown = trail
    shown.turn.next(Ended(Outcome(kind=Kind.OK)), NOW)
    shown.follow(http.Response.make(200), b"", delivered=True)
    shown.over(Done.DELIVERED, NOW)
    with (tmp_path / "flow").open("wb") as file:
        FlowWriter(file).add(shown.flow)
    with (tmp_path / "flow").open("rb") as file:
        (read,) = FlowReader(file).stream()
    assert read.metadata == shown.flow.metadata
    assert read.comment == "a 200, 0.0 s"
