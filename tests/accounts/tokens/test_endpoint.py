"""What says that the token endpoint is there, without a token."""

from contextlib import suppress

import pytest

from accounts.tokens.endpoint import LONGEST, MOST_PAUSE, EndpointDoubt, EndpointSilent, speaks
from standin import StandIn
from tests.accounts.tokens.talking import hearing, saying
from tests.builders import Clock


def test_the_stand_ins_endpoint_speaks_and_nothing_is_renewed() -> None:
    with StandIn() as upstream:
        assert speaks(upstream.token_url)
        assert not upstream.refreshes


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 405, 429, 501])
def test_an_endpoint_that_says_anything_speaks(status: int) -> None:
    with saying(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n\r\n" % status) as url:
        assert speaks(url)


@pytest.mark.parametrize(
    "said", [b"", b"nonsense\r\n\r\n", *(b"HTTP/1.1 %d x\r\n\r\n" % n for n in (500, 502, 503, 504))]
)
def test_one_that_drops_the_connection_or_is_away_does_not(said: bytes) -> None:
    with saying(said) as url:
        assert not speaks(url)


def test_one_that_nobody_listens_for_does_not() -> None:
    assert not speaks("http://127.0.0.1:1/oauth/token")
    assert not speaks("nonsense")


def test_the_question_is_sent_as_a_token_is_and_bears_none() -> None:
    """What drops the one drops the other."""
    with hearing() as (url, heard):
        assert speaks(url)
    (asked,) = heard
    assert asked.startswith(b"POST /oauth/token ")
    assert b"application/json" in asked.lower()
    assert asked.endswith(b"\r\n\r\n{}")


def test_an_endpoint_that_never_answers_the_question_gets_one_token_in_a_while_and_each_time_later() -> None:
    clock = Clock()
    doubt = EndpointDoubt(lambda _: False, clock)
    doubt.lost()
    for pause in (LONGEST, 2 * LONGEST, 4 * LONGEST):
        for _ in range(4):
            with pytest.raises(EndpointSilent):
                doubt.check("", last=False)
            clock.advance(pause / 4)
        doubt.check("", last=False)
        doubt.lost()
    doubt.answered()
    doubt.check("", last=False)


@pytest.mark.parametrize(("answers", "losses"), [(False, 0), (False, 1), (False, 3), (True, 2)])
def test_a_second_chance_is_kept_for_hours_where_there_may_be_nobody(answers: bool, losses: int) -> None:
    clock = Clock()
    doubt = EndpointDoubt(lambda _: answers, clock)
    for _ in range(losses):
        doubt.lost()
    for _ in range(4):
        with pytest.raises(EndpointSilent):
            doubt.check("", last=True)
        clock.advance(MOST_PAUSE / 4)
    doubt.check("", last=True)


def test_where_the_question_is_answered_one_loss_is_no_reason_to() -> None:
    asked: list[str] = []
    doubt = EndpointDoubt(lambda url: asked.append(url) is None, Clock())
    doubt.lost()
    doubt.check("https://here", last=True)
    assert asked == ["https://here"]


def test_where_the_question_is_answered_and_tokens_are_not_they_leave_more_and_more_seldom() -> None:
    clock, left = Clock(), list[float]()
    doubt, began = EndpointDoubt(lambda _: True, clock), clock()
    while clock() - began < 86_400:
        with suppress(EndpointSilent):
            doubt.check("", last=False)
            doubt.lost()
            left.append(clock() - began)
        clock.advance(60)
    minutes = [round(each / 60) for each in left]
    assert minutes == [0, 1, 16, 46, 106, 226, 466, 826, 1186]


def test_one_answer_ends_all_doubt() -> None:
    clock = Clock()
    doubt = EndpointDoubt(lambda _: True, clock)
    for _ in range(3):
        doubt.lost()
    with pytest.raises(EndpointSilent):
        doubt.check("", last=False)
    doubt.answered()
    doubt.check("", last=False)
