"""A pool that is pinned to one account uses no other one, and says why when that one cannot serve."""

import pytest

from standin import Fault, FaultKind
from tests.proxy.clients import http1, turn1, turn_ws
from tests.proxy.conftest import Bench

ENV = {"CODEX_ROTATE_STRATEGY": "pinned", "CODEX_ROTATE_PINNED_ACCOUNT": "acc-0"}
LIMIT = Fault(FaultKind.USAGE_LIMIT, resets_in=7200)


@pytest.mark.parametrize("version", ["http", "ws"])
def test_only_the_pinned_account_serves_and_its_limit_is_told_as_a_rule(shared: Bench, version: str) -> None:
    """The others could serve: calling it a usage limit would be a lie. The last account's name is what `ENV` says."""
    bench = shared
    bench.thread = f"pinned-{version}"
    bench.upstream.clear()
    began = len(bench.upstream.requests)
    bench.add()
    if version == "http":
        with http1(bench.proxy) as client:
            assert turn1(client, bench.headers()).text == "Hello from acc-0."
            bench.upstream.fault("acc-0", LIMIT)
            told = turn1(client, bench.headers()).error
    else:
        bench.store.clear_cooldown("acc-0:user-of-acc-0").result()
        assert turn_ws(bench.proxy, bench.headers()).text == "Hello from acc-0."
        bench.upstream.fault("acc-0", LIMIT)
        told = turn_ws(bench.proxy, bench.headers()).error
    assert told["type"] == "codex_rotate_pinned"
    assert "pinned_account" in told["message"]
    assert {seen.account_id for seen in bench.upstream.requests[began:]} == {"acc-0"}
