"""How long a renewal would wait: for those before it, and for an answer."""

from accounts.tokens.renewal_queue import RenewalQueue, RenewalWait
from accounts.tokens.send_gap import SEND_GAP
from tests.builders import NOW


def test_an_empty_queue_is_no_wait_and_nobody_knows_how_long_an_answer_takes() -> None:
    wait = RenewalQueue().wait_for("a", NOW)
    assert (wait, wait.expected) == (RenewalWait(), None)


def test_those_that_have_not_left_yet_are_ahead_a_gap_each() -> None:
    queue = RenewalQueue()
    for key in "abc":
        queue.begin(key)
    queue.sent("a", NOW)
    assert queue.wait_for("a", NOW + 1) == RenewalWait(under_way=True, sent_for=1.0)
    assert queue.wait_for("b", NOW) == RenewalWait(under_way=True, until_sent=SEND_GAP)
    assert queue.wait_for("c", NOW + 9) == RenewalWait(under_way=True, ahead=1, until_sent=SEND_GAP)
    assert queue.wait_for("d", NOW + 9) == RenewalWait(ahead=2, until_sent=2 * SEND_GAP)


def test_how_long_the_last_answer_took_is_what_the_next_is_expected_to_take() -> None:
    queue = RenewalQueue()
    queue.begin("a")
    queue.sent("a", NOW)
    queue.end("a", NOW + 3)
    assert queue.wait_for("b", NOW + 3).expected == 3.0
    queue.begin("b")
    queue.sent("b", NOW + 4)
    assert queue.wait_for("b", NOW + 6).expected == 1.0
    assert queue.wait_for("b", NOW + 60).expected == 0.0


def test_one_that_was_never_sent_says_nothing_of_answers() -> None:
    queue = RenewalQueue()
    queue.begin("a")
    queue.end("a", NOW)
    queue.end("b", NOW)
    assert queue.wait_for("a", NOW) == RenewalWait()
