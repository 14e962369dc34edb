import json

from accounts.continuing.delivered import DeliveredAnswer


def test_between_the_borders_of_items_nothing_is_decoded() -> None:
    delivered = DeliveredAnswer()
    for number in range(3):  # none of it is JSON
        delivered.passed("response.output_text.delta", b'{,"item":{"type":"novelty"},"sequence_number":%d' % number)
    delivered.skimmed(4, b'data: {"sequence_number":6}\n\n')
    delivered.passed("keepalive", b"{}")
    assert delivered.events == 8
    assert delivered.last_number == 6
    assert delivered.is_clear


def test_items_are_kept_as_they_have_passed() -> None:
    delivered = DeliveredAnswer()
    text = '{ "type":"message", "n": 1e400, "content":"\\u00e9: {}" }'
    event = f'{{"type":"response.output_item.done", "item" : {text}, "output_index":0}}'
    delivered.passed("response.output_item.done", event.encode())
    assert [each.text for each in delivered.items] == [text]


def test_a_part_lets_go_of_what_was_open() -> None:
    delivered = DeliveredAnswer()
    added = json.dumps({"item": {"type": "message"}, "output_index": 0}).encode()
    delivered.passed("response.output_item.added", added)
    assert delivered.open_kinds == ("message",)
    delivered.part("two")
    assert delivered.open_kinds == ()


def test_the_head_is_of_the_last_answer_that_has_begun() -> None:
    delivered = DeliveredAnswer()
    for name in ("a", "b"):
        delivered.passed("response.created", json.dumps({"response": {"id": name}}).encode())
    assert json.loads(delivered.head) == {"id": "b"}
