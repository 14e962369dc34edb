"""Slow is not dead: an answer that begins late is waited for, whatever its head, its socket or its account.

The stand-in's time passes when a test says so; the proxy's own limits are in tests/addons/exchange/test_patience.py.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from standin import ANY_ACCOUNT
from standin.faults.cases import CASES
from tests.harness import eventually
from tests.proxy.clients import Got, turn_over
from tests.proxy.conftest import Bench

MINUTE = 61.0


OPTIONS = {"rotate_head_timeout": 300}
BY_HAND = True


def turn_of(bench: Bench, version: str) -> Got:
    return turn_over(version, bench.proxy, bench.headers())


@pytest.mark.parametrize("accounts", [1, 2])
@pytest.mark.parametrize(
    ("version", "case"),
    [("h1", "head_after_a_minute"), ("h2", "head_after_a_minute"), ("ws", "socket_silent_for_a_minute")],
)
def test_an_answer_that_begins_after_a_minute_arrives(shared: Bench, version: str, case: str, accounts: int) -> None:
    """One request upstream, and nobody rests."""
    shared.start_test(accounts)
    shared.upstream.fault(ANY_ACCOUNT, CASES[case])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(turn_of, shared, version)
        eventually(lambda: shared.upstream.pausing == 1)
        shared.upstream.pass_time(MINUTE)
        answer = asked.result(10)
    assert answer.completed
    assert len(shared.served_by()) == 1
    shared.settle()
    assert shared.unpunished()
