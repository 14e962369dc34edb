"""An account that came in with a refresh token only serves like any other."""

from dataclasses import replace

import pytest

from standin import FaultKind
from tests.proxy.clients import ASK, RESPONSES, http1, turn1
from tests.proxy.conftest import Bench


@pytest.mark.parametrize("refreshes", [True, False])
def test_its_first_use_fetches_the_access_token(bench: Bench, refreshes: bool) -> None:
    """When that fails, another account answers; a request without a token never leaves."""
    key = bench.keys[bench.first.account_id]
    stored = bench.store.credentials(key)
    assert stored is not None
    seat = next(each for each in bench.store.accounts() if each.key == key)
    bench.store.put_account(seat, replace(stored, access="", id_token="", expires_at=0.0)).result()
    if not refreshes:
        bench.fault(bench.first, FaultKind.TOKEN_SERVER_ERROR)
    with http1(bench.proxy) as client:
        turn1(client, bench.headers(), ASK)
    served = bench.first if refreshes else bench.second
    asked = [seen for seen in bench.seen() if seen.path == RESPONSES]
    assert [seen.authorization for seen in asked] == [f"Bearer {served.access_token}"]
    renewed = bench.store.credentials(key)
    assert renewed is not None
    assert renewed.access == (bench.first.access_token if refreshes else "")
