"""What a client orders is what it gets."""

import json

import pytest

from accounts.choice.outcomes import Kind, Reply, classify
from addons.wire.events import Meaning, meaning_of
from benchmarks.orders import Order, events_of, order_of, refusal


@pytest.mark.parametrize(
    "order", [Order(), Order(events=100, gap=0.02, size=3), Order(fails=3), Order(hold=True), Order(closes=True)]
)
def test_an_order_survives_its_header(order):
    assert order_of(order.header()) == order


def test_without_a_header_it_is_the_usual_order():
    assert order_of("") == Order()


def test_an_answer_has_the_events_that_it_says():
    events = [json.loads(event) for event in events_of(Order(events=5))]
    assert len(events) == Order(events=5).messages
    meanings = [meaning_of(event["type"], json.dumps(event).encode()) for event in events]
    assert meanings == [Meaning.PRELUDE] * 2 + [Meaning.OUTPUT] * 5 + [Meaning.ENDING]


def test_a_piece_of_text_has_a_place_for_its_time():
    piece = events_of(Order(events=1, gap=0.1))[2]
    assert json.loads(piece % 12.5)["sent"] == 12.5


def test_the_refusal_is_a_limit_that_ends_soon():
    """To the pool it is what it is from the provider: the account rests for as long as it says."""
    headers, body = refusal()
    outcome = classify(Reply(status=429, headers=dict(headers), error=json.loads(body)["error"]), now=1000.0)
    assert (outcome.kind, outcome.until) == (Kind.USAGE_LIMIT, 1002.0)
