"""The line of a turn: a word for each thing that somebody looks for, and as short as it has to be."""

import json

from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.outcomes import Kind
from addons.inspection.answer import Tokens
from addons.recording import annotations
from addons.recording.turn_line import ROOM, Told, client_name, line, purpose_in, purpose_of, tokens_in
from tests.rows import all_rows

THREAD = "0199a3f2-7c1e-7a40-9d3b-5f0c2e8b1a44"
TOKENS = Tokens(given=19_312, cached=9_600, made=512)
PLAIN = Told(
    client="ann", thread=THREAD, model="gpt-5.5-codex", asked=(("work", 200, Kind.OK),), seconds=4.21, tokens=TOKENS
)


def test_a_turn_without_trouble() -> None:
    assert line(PLAIN) == "ann 2e8b1a44 gpt-5.5-codex  work  ok  4.2 s  19.3k in (9.6k cached) 512 out"


@all_rows(
    ("told", "words"),
    [
        ({"asked": (("spent", 429, Kind.USAGE_LIMIT), ("good", 200, Kind.OK))}, "spent 429 usage limit → good  ok"),
        ({"asked": (("work", 0, Kind.RESET), ("work", 200, Kind.OK))}, "work reset → work  ok"),
        ({"asked": (("work", 400, Kind.REQUEST_FAULT),)}, "work 400 request fault  passed on"),
        ({"asked": (("work", 200, Kind.CLIENT_GONE),), "done": "the client left"}, "work  the client left"),
        ({"asked": (("work", 200, Kind.TRUNCATED),), "done": "broken off by upstream"}, "truncated  broken off"),
        ({"asked": (), "nobody": True, "done": annotations.OURS}, "nobody left  refused by codex-rotate"),
        ({"asked": (), "rule": "token_budget", "done": annotations.OURS}, "refused by codex-rotate: token budget"),
        ({"purpose": "compaction"}, "gpt-5.5-codex  compaction  work"),
        ({"done": "told in words of another version"}, "work  told in words of another version"),
        ({"seconds": 183.4}, "ok  183 s"),
        ({"tokens": None}, "ok  4.2 s"),
        ({"tokens": Tokens(given=5, made=1)}, "5 in 1 out"),
        ({"tokens": Tokens(given=5, cached=0, made=1)}, "5 in 1 out"),
        ({"client": "", "model": ""}, "2e8b1a44  work"),
    ],
)
def test_what_happened_in_few_words(told: dict[str, object], words: str) -> None:
    assert words in line(PLAIN._replace(**told))  # type: ignore[arg-type]


def test_what_is_least_needed_goes_first_where_there_is_no_room() -> None:
    asked = (("spent", 429, Kind.USAGE_LIMIT), ("good", 200, Kind.OK))
    shorter = line(PLAIN._replace(client="codex_exec", asked=asked))
    assert "cached" not in shorter
    assert "19.3k in 512 out" in shorter
    assert len(shorter) <= ROOM
    many = tuple((f"account-{number}", 429, Kind.USAGE_LIMIT) for number in range(4))
    longest = line(PLAIN._replace(asked=many))
    assert [f"account-{number} 429 usage limit" in longest for number in range(4)] == [True] * 4
    assert " in " not in longest


@all_rows(
    ("key", "headers", "name"),
    [
        ("ann", {"originator": "codex_exec"}, "ann"),
        ("local", {"originator": "codex_exec"}, "codex_exec"),
        ("", {"originator": "codex-tui", "user-agent": "other/1"}, "codex-tui"),
        ("", {"user-agent": "codex_vscode/0.171.0 (Debian 12)"}, "codex_vscode"),
        ("", {"originator": "\x1b[31m"}, ""),
        ("", {}, ""),
    ],
)
def test_who_asked_is_the_name_of_the_key_or_of_the_client(key: str, headers: dict[str, str], name: str) -> None:
    assert client_name(key, headers.get) == name


@all_rows(
    ("path", "metadata", "purpose"),
    [
        ("/backend-api/codex/responses", None, ""),
        ("/backend-api/codex/responses?x=1", '{"request_kind":"turn"}', ""),
        ("/backend-api/codex/responses", '{"request_kind": "compaction"}', "compaction"),
        ("/backend-api/codex/responses", '{"request_kind":"prewarm"}', "warm-up"),
        ("/backend-api/codex/responses/compact", None, "compaction"),
        ("/backend-api/codex/alpha/search", None, "search"),
        ("/backend-api/codex/images/generations", None, "images"),
    ],
)
def test_what_is_no_turn_of_the_user_s(path: str, metadata: str | None, purpose: str) -> None:
    assert purpose_of(path, metadata) == purpose


@all_rows(
    ("body", "purpose"),
    [
        ({"input": [], "generate": False}, "warm-up"),
        ({"input": [{"role": "user", "content": '{"generate":false} and "compaction_trigger"'}]}, ""),
        ({"input": [{"type": "compaction_trigger"}]}, "compaction"),
        ({"generate": True}, ""),
    ],
)
def test_the_same_on_a_socket(body: dict[str, object], purpose: str) -> None:
    assert purpose_in(json.dumps(body).encode()) == purpose


def completed(**usage: object) -> bytes:
    said = [{"type": "message", "content": [{"type": "output_text", "text": 'it said "usage": {"input_tokens": 1}'}]}]
    response = {"id": "resp_1", "output": said, "usage": usage, "metadata": {}}
    return json.dumps({"type": "response.completed", "response": response}).encode()


def test_the_tokens_are_those_of_the_last_event() -> None:
    usage = {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 3, "total_tokens": 10}
    assert tokens_in(completed(**usage)) == Tokens(given=7, cached=5, made=3, total=10)


@all_rows("event", [b"", b"{}", b'{"usage":null}', b'{"usage":{"input_tokens":', completed()])
def test_where_none_are_said_none_are_known(event: bytes) -> None:
    assert tokens_in(event) is None


@given(st.binary(max_size=200))
def test_any_event_can_be_looked_at(data: bytes) -> None:
    for event in (data, b'{"usage":{' + data):
        assert isinstance(tokens_in(event), Tokens | None)
