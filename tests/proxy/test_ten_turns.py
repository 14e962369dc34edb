"""What ten turns of every kind look like in the capture that the real proxy saves of them, read without the pool."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.contentviews import prettify_message
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from addons.inspection.content_view import Views
from cli.app import main
from tests.harness import secrets_of
from tests.proxy.ten_turns import KEPT, TURNS, take

ROTATED = ":twisted_rightwards_arrows:"
FAILED = ":no_entry:"
FLOWS = tuple(turn.__name__ for turn in TURNS)
"""The flows in order."""


@dataclass
class Capture:
    """The file, its flows by the turn's name, and what no flow may hold."""

    file: Path
    flows: dict[str, http.HTTPFlow]
    secrets: set[str]

    def told(self, name: str) -> str:
        """The answer of a turn as somebody who opens the capture reads it; of a socket all that was said."""
        flow = self.flows[name]
        assert flow.response is not None
        messages = flow.websocket.messages if flow.websocket else [flow.response]
        return "\n".join(prettify_message(each, flow).text for each in messages)

    def asked(self, name: str) -> str:
        return prettify_message(self.flows[name].request, self.flows[name]).text

    def attempts(self, name: str) -> list[tuple[str, int, str]]:
        """Who was asked: the account, the status of its answer, and what that meant."""
        made = self.flows[name].metadata["codex_rotate.attempts"]
        return [(each["account"], each["status"], each["kind"]) for each in made]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Capture:
    file, accounts = take(tmp_path_factory.mktemp("ten turns"), confdir)
    with file.open("rb") as saved:
        flows = [each for each in FlowReader(saved).stream() if isinstance(each, http.HTTPFlow)]
    flows.sort(key=lambda flow: flow.request.timestamp_start)
    return Capture(file, dict(zip(FLOWS, flows, strict=True)), secrets_of(accounts))


@pytest.fixture(autouse=True)
def loaded() -> Iterator[None]:
    with taddons.context(views := Views()):
        yield
        views.done()


@pytest.mark.parametrize(
    ("name", "marker", "comment"),
    [
        ("with_a_tool", "", r"work 200, \d\.\d s"),
        ("with_a_long_answer", "", rf"work 200, .*, the first {KEPT} of \d+ bytes are kept"),
        ("renewed", ROTATED, r"work 401 token expired → work 200, \d\.\d s"),
        ("upstream_failed", ROTATED, r"work 500 server error → home 200, \d\.\d s, 1 rotation"),
        ("broken_off", FAILED, r"home 200 truncated, .*"),
        ("on_a_socket", "", r"work 101, \d\.\d s \| 3 turns, the last: delivered, \d\.\d s"),
        ("beneath_a_socket", ROTATED, r"work 101, \d\.\d s \| work usage limit → home, delivered, \d\.\d s"),
        ("at_its_limit", ROTATED, r"home 429 usage limit until [\w: ]+ → spare 200, \d\.\d s, 1 rotation"),
        ("sealed_elsewhere", ROTATED, r"spare 400 invalid encrypted content → spare 200, \d\.\d s"),
        ("nobody_left", FAILED, r"spare 429 usage limit until [\w: ]+\b.*"),
    ],
)
def test_a_comment_and_a_marker_say_what_happened(capture: Capture, name: str, marker: str, comment: str) -> None:
    flow = capture.flows[name]
    assert re.fullmatch(comment, flow.comment), flow.comment
    assert flow.marked == marker


@pytest.mark.parametrize(
    ("name", "attempts"),
    [
        ("with_a_tool", [("work", 200, "ok")]),
        ("renewed", [("work", 401, "token_expired"), ("work", 200, "ok")]),
        ("upstream_failed", [("work", 500, "server_error"), ("home", 200, "ok")]),
        ("broken_off", [("home", 200, "truncated")]),
        ("at_its_limit", [("home", 429, "usage_limit"), ("spare", 200, "ok")]),
        ("sealed_elsewhere", [("spare", 400, "invalid_encrypted_content"), ("spare", 200, "ok")]),
        ("nobody_left", [("spare", 429, "usage_limit")]),
    ],
)
def test_the_metadata_hold_every_attempt(capture: Capture, name: str, attempts: list[tuple[str, int, str]]) -> None:
    assert capture.attempts(name) == attempts


def test_the_metadata_hold_every_turn_of_a_socket(capture: Capture) -> None:
    """And an upgrade is an attempt like any other."""
    assert capture.attempts("on_a_socket") == [("work", 101, "upgraded")]
    turns = capture.flows["on_a_socket"].metadata["codex_rotate.turns"]
    assert [(turn["done"], turn["attempts"][0]["kind"]) for turn in turns] == [("delivered", "ok")] * 3
    (rotated,) = capture.flows["beneath_a_socket"].metadata["codex_rotate.turns"]
    assert [(each["account"], each["detail"]) for each in rotated["attempts"]] == [
        ("work", "429 usage_limit_reached"),
        ("home", ""),
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("with_a_tool", ["ended: completed", "      **Finding the login code**", "limits:"]),
        ("with_a_long_answer", ["  - assistant, unfinished: |", "      The expiry is compared in local time."]),
        ("renewed", ["failed attempts:", "  - work: # 401 token_expired invalid_request_error: "]),
        ("upstream_failed", ["  - work: # 500 server_error: The server had an error"]),
        ("broken_off", ["ended: cut off, no event says that the answer is complete", "  - assistant, unfinished: "]),
        ("on_a_socket", ["asks for: a warm-up, no output", "goes on from: resp_", "ended: completed"]),
        ("beneath_a_socket", ["ended: completed"]),
        ("at_its_limit", ["      ## 2.1", "  - home: # 429 usage_limit_reached: The usage limit has been"]),
        ("sealed_elsewhere", ["  - spare: # 400 invalid_encrypted_content"]),
        ("nobody_left", ["error: ", "  - spare: # 429 usage_limit_reached: The usage limit has been reached"]),
    ],
)
def test_the_view_tells_each_turn(capture: Capture, name: str, lines: list[str]) -> None:
    """Each of these begins a line."""
    told = capture.told(name)
    assert [line for line in lines if f"\n{line}" not in f"\n{told}"] == [], told


def test_a_call_and_its_output_are_told_where_they_were_made_and_where_they_were_sent(capture: Capture) -> None:
    assert re.search(r"call exec_command \(call_1\):\s.*rg -n 'expires_at' src/", capture.told("with_a_tool"))
    asked = capture.asked("with_a_long_answer")
    assert re.search(r"\d call exec_command \(call_1\)", asked)
    assert re.search(r"\d output of exec_command: \|\n    src/session.py:12:", asked)
    assert re.search(r"\d reasoning \(sealed.*\): \"?\*\*Finding the login code\*\*", asked)


def test_the_view_says_how_much_is_missing(capture: Capture) -> None:
    kept, total = capture.flows["with_a_long_answer"].metadata["codex_rotate.captured"]
    assert f"only the first {kept:,} of {total:,} bytes are kept" in capture.told("with_a_long_answer")


def test_reasoning_says_who_has_sealed_it(capture: Capture) -> None:
    assert "reasoning (sealed by work, " in capture.told("with_a_tool")
    assert "reasoning (sealed by spare, " in capture.told("sealed_elsewhere")


def test_explain_tells_every_turn_of_the_capture(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve rows: the first socket carries three turns."""
    assert main(["explain", "--json", str(capture.file)]) == 0
    turns = sorted(json.loads(capsys.readouterr().out)["turns"], key=lambda turn: turn["at"])
    asked = [" → ".join(f"{each['account']} {each['kind']}" for each in turn["asked"]) for turn in turns]
    assert asked == [
        *("work ok", "work ok", "work token_expired → work ok", "work server_error → home ok", "home truncated"),
        *("work ok", "work ok", "work ok", "work usage_limit → home ok"),
        *("home usage_limit → spare ok", "spare invalid_encrypted_content → spare ok", "spare usage_limit"),
    ]
    assert [turn["transport"] for turn in turns] == [*["http"] * 5, *["websocket"] * 4, *["http"] * 3]
    assert {turn["done"] for turn in turns} >= {"delivered", "answered by the proxy"}
    assert all(turn["tokens"] for turn, who in zip(turns, asked, strict=True) if who == "work token_expired → work ok")


def test_no_token_is_in_the_capture(capture: Capture) -> None:
    saved = capture.file.read_bytes()
    assert not [secret for secret in capture.secrets if secret.encode() in saved]
