"""What a history must not have."""

from typing import Any

import pytest

from standin.model import FunctionCall, LocalShellCall, Message, Reasoning, ViolationKind, WebSearch, shell_call
from standin.model.history_check import Book, violations

type Wire = dict[str, Any]

USER: Wire = {"type": "message", "role": "user", "id": "u1", "content": [{"type": "input_text", "text": "hi"}]}


@pytest.fixture
def book() -> Book:
    return Book()


def made(book: Book, item: Any, seal: str = "") -> Wire:
    wire = item.made(seal).item
    book.write(wire)
    return dict(wire)


def output(call: Wire, kind: str = "custom_tool_call_output") -> Wire:
    return {"type": kind, "call_id": call["call_id"], "output": "one"}


def kinds(history: list[Wire], book: Book, **more: Any) -> list[ViolationKind]:
    return [each.kind for each in violations(history, book, **more)]


def test_a_history_that_came_about_has_nothing_wrong(book: Book) -> None:
    call, shell = made(book, FunctionCall("sleep")), made(book, LocalShellCall(("ls",)))
    history = [
        USER,
        made(book, Reasoning(), "blob") | {"added": "by the client"},
        made(book, Message("Looking.")),
        made(book, WebSearch("weather")),
        call,
        output(call, "function_call_output"),
        shell,
        output(shell, "function_call_output"),
        made(book, Message("Done.")),
    ]
    assert kinds(history, book, sealed={"blob": "acc-1"}, account_id="acc-1") == []


def test_calls_and_outputs_come_in_pairs(book: Book) -> None:
    call = made(book, shell_call("echo one"))
    assert kinds([USER, call], book) == [ViolationKind.CALL_WITHOUT_OUTPUT]
    assert kinds([USER, output(call)], book) == [ViolationKind.OUTPUT_WITHOUT_CALL]
    assert kinds([USER, call, output(call, "function_call_output")], book) == [
        ViolationKind.CALL_WITHOUT_OUTPUT,
        ViolationKind.OUTPUT_WITHOUT_CALL,
    ]


def test_nothing_is_there_twice(book: Book) -> None:
    call = made(book, shell_call("echo one"))
    assert ViolationKind.SAME_ID in kinds([USER, call, output(call), call], book)
    assert ViolationKind.SAME_ID in kinds([USER, call, output(call), call | {"id": None}], book)
    assert kinds([USER, USER], book) == [ViolationKind.SAME_ID]


def test_nothing_is_said_twice_in_a_row(book: Book) -> None:
    first, thought, again = (made(book, item) for item in (Message("a"), Reasoning(), Message("a")))
    assert kinds([USER, first, thought, again], book) == [ViolationKind.SAID_TWICE]
    assert kinds([USER, first, USER | {"id": "u2"}, again], book) == []


def test_nothing_is_invented(book: Book) -> None:
    """Neither a whole item nor a word of one, with its id or without."""
    message = made(book, Message("a"))
    changed = message | {"content": [{"type": "output_text", "text": "b"}]}
    without = {name: value for name, value in message.items() if name != "id"}
    assert kinds([USER, without], book) == []
    for item in (changed, message | {"id": "other"}, changed | {"id": ""}, {"type": "hologram", "id": "x"}):
        assert kinds([USER, item], book) == [ViolationKind.INVENTED]


def test_a_seal_opens_with_its_own_account(book: Book) -> None:
    thought = made(book, Reasoning(), "blob")
    assert kinds([thought], book, sealed={"blob": "acc-1"}, account_id="acc-2") == [ViolationKind.FOREIGN_SEAL]
    assert kinds([thought], book) == []
