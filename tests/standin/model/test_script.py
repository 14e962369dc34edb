"""Which items come next."""

from typing import Any

from standin.model import Message, Reasoning, WebSearch, shell_call
from standin.model.chains import START, Chain
from standin.model.script import Script, said_last, step_of, text_of

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
OUTPUT = {"type": "custom_tool_call_output", "call_id": "c"}
CALL = {"type": "custom_tool_call", "call_id": "c"}
FIRST, LAST = (Reasoning(), Message("Looking."), shell_call("echo one")), (Message("Done."),)


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def asked(*items: dict[str, Any]) -> Chain:
    return START.then(items)


def test_answers_are_used_in_order_and_by_their_own_seat() -> None:
    script = Script()
    script.answers("a", [FIRST, LAST])
    assert script.next("b", asked(USER)) is None
    assert [script.next("a", asked(USER)) for _ in range(3)] == [FIRST, LAST, None]


def test_a_turn_goes_a_step_with_each_round_of_calls() -> None:
    script = Script()
    script.plays([FIRST, LAST])
    assert script.next("a", asked(USER)) == FIRST
    assert script.next("a", asked(USER, CALL, OUTPUT)) == LAST
    assert script.next("a", asked(USER, CALL, OUTPUT, CALL, OUTPUT)) == LAST
    assert script.next("a", asked(USER, CALL, OUTPUT, said("Done."), USER)) == FIRST


def test_what_was_said_in_this_step_is_not_said_again() -> None:
    script = Script()
    script.plays([FIRST, LAST])
    assert script.next("b", asked(USER, said("Looking."))) == FIRST[2:]
    assert script.next("b", asked(USER, CALL, OUTPUT, said("Done."))) == ()


def test_what_was_searched_in_this_step_is_not_searched_again() -> None:
    script = Script()
    search = WebSearch("weather")
    script.plays([(Reasoning(), search, *LAST)])
    assert script.next("b", asked(USER, search.made("").item)) == LAST
    assert script.next("b", asked(USER, WebSearch("news").made("").item)) == (Reasoning(), search, *LAST)


def test_no_steps_are_the_usual_answer() -> None:
    script = Script()
    script.plays([FIRST])
    script.plays([])
    assert script.next("a", asked(USER)) is None


def test_outputs_side_by_side_are_one_round() -> None:
    assert step_of([USER, CALL, CALL, OUTPUT, OUTPUT]) == 1
    assert step_of([USER, CALL, OUTPUT, CALL, OUTPUT]) == 2
    assert step_of([]) == 0


def test_only_the_newest_words_are_what_was_said_last() -> None:
    assert said_last([said("a"), USER, said("b"), {"type": "reasoning"}, said("c")]) == {"b", "c"}
    assert text_of({"content": "plain"}) == "plain"
