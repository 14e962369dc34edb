"""Which thread a request belongs to, and which model it wants."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.requests.identity import (
    PARENT_THREAD,
    THREAD_HEADERS,
    TURN_METADATA,
    metadata_in,
    model_of,
    parent_in,
    parent_of,
    thread_in,
    thread_of,
)
from tests.rows import all_rows


@all_rows("name", THREAD_HEADERS)
def test_every_header_that_names_a_conversation_is_read(name: str) -> None:
    assert thread_of({name: "t-1"}.get) == "t-1"


@all_rows("first", range(len(THREAD_HEADERS)))
def test_the_thread_comes_before_the_session_and_the_session_before_the_conversation(first: int) -> None:
    """A sub-agent shares its parent's session but not its thread."""
    headers = {name: name for name in THREAD_HEADERS[first:]}
    assert thread_of(headers.get) == THREAD_HEADERS[first]


@all_rows("headers", [{}, {"x-client-request-id": "t"}, {"thread-id": ""}, {"authorization": "Bearer t"}])
def test_a_request_without_a_conversation_has_no_thread(headers: dict[str, str]) -> None:
    assert thread_of(headers.get) == ""


def test_an_empty_header_leaves_the_word_to_the_next() -> None:
    assert thread_of({"thread-id": "", "session-id": "s"}.get) == "s"


def test_a_name_of_any_length_takes_bounded_memory() -> None:
    assert len(thread_of({"thread-id": "x" * 100_000}.get)) == 200


# --- the model -------------------------------------------------------------------------------------------------------


@all_rows(
    ("hint", "model"),
    [
        ("model=large-1", "large-1"),
        (" model = large-1 ", "large-1"),
        ("model=a=b", "a=b"),
        ("model=", ""),
        ("model", ""),
        ("large-1", ""),
        ("region=eu", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_routing_hint_names_the_model(hint: str | None, model: str) -> None:
    headers = {} if hint is None else {"x-codex-routing-hint": hint}
    assert model_of(headers.get) == model


def test_a_model_of_any_length_takes_bounded_memory() -> None:
    assert len(model_of({"x-codex-routing-hint": "model=" + "x" * 100_000}.get)) == 100


# --- the body --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", " :\t")])
def test_the_body_names_the_conversation_however_it_is_written(separators: tuple[str, str]) -> None:
    body = {"model": "m", "input": [], "prompt_cache_key": "0199-t.1:x_2", "store": False}
    assert thread_in(json.dumps(body, separators=separators).encode()) == "0199-t.1:x_2"


@all_rows(
    "body",
    [
        {},
        {"prompt_cache_key": ""},
        {"prompt_cache_key": None},
        {"prompt_cache_key": 7},
        {"prompt_cache_key": {"a": "b"}},
        {"prompt_cache_key": "two words"},
        {"prompt_cache_key": "x" * 201},
        {"prompt_cache_keys": "t"},
        {"conversation": "t"},
    ],
    ids=str,
)
def test_a_body_that_names_none_has_no_thread(body: dict[str, Any]) -> None:
    assert thread_in(json.dumps(body).encode()) == ""


def test_what_a_user_writes_about_the_key_is_not_the_key() -> None:
    said = 'set "prompt_cache_key": "mine" in the request'
    body = {"input": [{"role": "user", "content": said}], "prompt_cache_key": "real"}
    assert thread_in(json.dumps(body).encode()) == "real"
    assert thread_in(json.dumps({"input": said}).encode()) == ""


@given(st.binary(max_size=200))
def test_any_body_may_be_looked_at(body: bytes) -> None:
    assert isinstance(thread_in(body), str)
    assert isinstance(thread_in(b'"prompt_cache_key": "' + body), str)


def test_a_sub_agent_names_its_parent() -> None:
    assert parent_of({PARENT_THREAD: "p"}.get) == parent_in(json.dumps({PARENT_THREAD: "p"}).encode()) == "p"
    assert parent_of({}.get) == parent_in(b"{}") == ""


def test_a_message_holds_the_turn_metadata_as_a_text() -> None:
    metadata = json.dumps({"workspaces": {"C:\\work \u00e9": {}}})
    message = json.dumps({"input": [], "client_metadata": {TURN_METADATA: metadata}}).encode()
    assert metadata_in(message) == metadata
    assert metadata_in(b'{"client_metadata": {}}') == ""


def test_what_a_user_writes_about_the_metadata_is_not_the_metadata() -> None:
    said = json.dumps({TURN_METADATA: "of a user's text"})
    own = {"client_metadata": {TURN_METADATA: "own"}}
    assert metadata_in(json.dumps({"input": [{"text": said}], **own}).encode()) == "own"
    assert metadata_in(json.dumps({"input": [{"text": said}]}).encode()) == ""


@given(st.binary())
def test_any_message_may_be_asked_for_its_metadata(message: bytes) -> None:
    for text in (message, b'{"%b":"%b"}' % (TURN_METADATA.encode(), message)):
        assert isinstance(metadata_in(text), str)
        assert isinstance(parent_in(text), str)
