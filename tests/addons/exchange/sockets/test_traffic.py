"""What has passed on a client's socket is what a server that knows less is told."""

import json

from accounts.continuing.carry import Carry
from addons.exchange.sockets.traffic import SocketTraffic
from tests.builders import NOW

FIRST = b'{"type":"response.create","input":[{"n":1}]}'
DONE = b'{"type":"response.output_item.done","item":{"type":"message","id":"m"},"sequence_number":5}'
CREATED = b'{"type":"response.created","response":{"id":"resp_1"}}'
COMPLETED = b'{"type":"response.completed","response":{"id":"resp_1"}}'
SECOND = b'{"type":"response.create","previous_response_id":"resp_1","input":[{"n":2}]}'


def traffic() -> SocketTraffic:
    """Of a socket on which one turn is over and another one has been asked for."""
    made = SocketTraffic(NOW, 10_000)
    made.asks(FIRST, NOW)
    for kind, event in (("response.created", CREATED), ("response.output_item.done", DONE)):
        made.gives(kind, made.hears(event, NOW))
    made.chain.ends(COMPLETED)
    made.asks(SECOND, NOW)
    return made


def test_a_server_that_knows_what_is_continued_gets_the_request_as_it_is() -> None:
    assert traffic().request("w", continuing=False) is SECOND


def test_another_server_gets_all_of_it() -> None:
    made = traffic()
    made.chain.moved()
    got = json.loads(made.request("w", continuing=False))
    assert [each.get("n", each.get("id")) for each in got["input"]] == [1, "m", 2]


def test_what_goes_on_elsewhere_goes_with_all_of_it_and_what_the_client_has() -> None:
    made = traffic()
    made.attempt("w", continuing=False, now=NOW)
    made.gives("response.output_item.done", DONE.replace(b'"m"', b'"n"'))
    assert made.carry() is Carry.CONTINUE
    got = json.loads(made.request("w", continuing=True))
    assert [each.get("n", each.get("id")) for each in got["input"]] == [1, "m", 2, "n"]


def test_numbers_of_a_further_attempt_go_on_rising() -> None:
    made = traffic()
    made.gives("response.output_item.done", DONE)
    made.attempt("w", continuing=True, now=NOW)
    assert b'"sequence_number":6' in made.hears(b'{"type":"x","sequence_number":0}', NOW)


def test_silence_is_counted_from_the_last_word_or_the_last_attempt() -> None:
    made = traffic()
    assert made.silent(NOW + 5) == 5
    made.hears(CREATED, NOW + 5)
    assert made.silent(NOW + 7) == 2
    made.attempt("w", continuing=False, now=NOW + 9)
    assert (made.silent(NOW + 10), made.answered) == (1, False)
