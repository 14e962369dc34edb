"""When no account is left, the client says so in its own words, with the right time."""

import re
from datetime import UTC, datetime

import pytest

from config import clock
from standin import Fault, FaultKind
from tests.e2e.codex import FELL_BACK
from tests.e2e.conftest import BOTH_TRANSPORTS, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed


@BOTH_TRANSPORTS
def test_a_spent_pool_is_the_client_s_own_usage_limit(set_up: SetUp, transport: str):
    """The time is the one at which the first account is back."""
    scene = set_up()
    scene.upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=7200))
    scene.upstream.fault("acc-2", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    before = clock.now()
    ran = scene.codex.run("say hi")
    after = clock.now()
    assert ran.code == 1
    assert ran.out == ""
    assert "You’ve hit your usage limit." in ran.err
    times = "|".join(spoken(moment + 3600) for moment in (before, after))  # a minute may have passed
    assert re.search(rf"try again at [^\n]*\b({times})", ran.err), ran.err
    assert "Reconnecting" not in ran.err
    assert (FELL_BACK in ran.err) is (transport == "sse")
    assert sorted(filter(None, scene.served_by())) == ["acc-1", "acc-2"]


@pytest.mark.parametrize("transport", ["auto"])
def test_a_limit_that_is_over_soon_is_waited_for_unnoticed(set_up: SetUp, transport: str):
    """The client waits by itself for as long as it is told, and then goes on with the account that is back."""
    scene = set_up()
    for account in ("acc-1", "acc-2"):
        scene.upstream.fault(account, Fault(FaultKind.USAGE_LIMIT, resets_in=4), times=1)
    before = clock.monotonic()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert clock.monotonic() - before > 3
    assert scene.served_by() == ["acc-1", "acc-2", "acc-1"], "nobody is asked before the time"


def test_accounts_that_were_signed_out_do_not_cost_the_client_its_own_login(set_up: SetUp):
    """The client answers a 401 by renewing its own token; a managed account's 401 must not make it do so."""
    scene = set_up()
    for account in scene.accounts:
        account.revoke()
    ran = scene.codex.run("say hi")
    assert ran.code == 1
    assert "codex-rotate list" in ran.err
    assert [refresh.account_id for refresh in scene.upstream.refreshes] == []


def spoken(moment: float) -> str:
    """A time of day as the client writes it."""
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%I:%M %p").lstrip("0")
