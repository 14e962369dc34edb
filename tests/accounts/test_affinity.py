"""Which thread a request belongs to."""

import pytest

from accounts.affinity import THREAD_HEADERS, thread_of


@pytest.mark.parametrize("name", THREAD_HEADERS)
def test_every_header_that_names_a_conversation_is_read(name: str) -> None:
    assert thread_of({name: "t-1"}.get) == "t-1"


@pytest.mark.parametrize("first", range(len(THREAD_HEADERS)))
def test_the_thread_comes_before_the_session_and_the_session_before_the_conversation(first: int) -> None:
    """A sub-agent shares its parent's session but not its thread."""
    headers = {name: name for name in THREAD_HEADERS[first:]}
    assert thread_of(headers.get) == THREAD_HEADERS[first]


@pytest.mark.parametrize(
    "headers", [{}, {"x-client-request-id": "t"}, {"thread-id": ""}, {"authorization": "Bearer t"}]
)
def test_a_request_without_a_conversation_has_no_thread(headers: dict[str, str]) -> None:
    assert thread_of(headers.get) == ""


def test_an_empty_header_leaves_the_word_to_the_next() -> None:
    assert thread_of({"thread-id": "", "session-id": "s"}.get) == "s"


def test_a_name_of_any_length_takes_bounded_memory() -> None:
    assert len(thread_of({"thread-id": "x" * 100_000}.get)) == 200
