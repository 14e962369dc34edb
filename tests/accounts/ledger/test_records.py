"""One turn, as the ledger keeps it."""

from accounts.ledger.records import NO_TOKENS, TokenCount, TurnRecord


def test_a_sum_is_a_floor_if_one_part_of_it_is() -> None:
    known = TokenCount(input=10, cached=4, output=3, reasoning=1)
    summed = known + TokenCount(input=5, floor=True)
    assert summed == TokenCount(input=15, cached=4, output=3, reasoning=1, floor=True)
    assert not (known + NO_TOKENS).floor


def test_the_total_counts_cached_and_reasoning_tokens_once() -> None:
    assert TokenCount(input=10, cached=4, output=3, reasoning=1).total == 13


def test_a_record_needs_no_more_than_its_time() -> None:
    assert TurnRecord(when=1.0).tokens == NO_TOKENS
