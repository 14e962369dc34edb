"""What the user of the official CLI notices of a failing account: nothing."""

import os

from accounts.store.store import Store
from standin import Account, Fault, FaultKind
from tests.e2e.codex import FELL_BACK, Codex, Ran, finish
from tests.e2e.conftest import BOTH_TRANSPORTS, TRANSPORTS, Scene, SetUp
from tests.harness import put

SAY_HI = "say hi"


def unnoticed(ran: Ran, answer: str, transport: str, prompt: str = SAY_HI) -> bool:
    """Exit 0, the answer and nothing else on stdout, and no word of trouble on stderr."""
    assert ran.code == 0, ran.err
    assert ran.out == f"{answer}\n"
    trouble = ran.said_beside(prompt, answer)
    if transport == "sse":  # the client's own line for any 426, once
        fell_back = [line for line in trouble if line.endswith(FELL_BACK)]
        assert len(fell_back) <= 1, ran.err
        trouble = [line for line in trouble if line not in fell_back]
    assert trouble == [], ran.err
    return True


FAULTS = {
    "limit": Fault(FaultKind.USAGE_LIMIT, resets_in=3600),
    "reset": Fault(FaultKind.RESET),
    "limit in the socket": Fault(FaultKind.USAGE_LIMIT, resets_in=3600, in_band=True),
    "signed out": Fault(FaultKind.UNAUTHORIZED_INVALIDATED),
    "503": Fault(FaultKind.OVERLOADED),
    "limit in the stream": Fault(FaultKind.FAILED_EVENT, code="usage_limit_reached"),
    "deactivated": Fault(FaultKind.DEACTIVATED),
}
"""In turn over each transport; `make newest` has all over both."""


@BOTH_TRANSPORTS
def test_another_account_answers_and_the_user_notices_nothing(set_up: SetUp, transport: str):
    scene = set_up()
    for number, name in enumerate(FAULTS if "COLD" in os.environ else list(FAULTS)[TRANSPORTS.index(transport) :: 2]):
        before = len(scene.served_by())
        bad, well = (each.account_id for each in new_accounts(scene, number))
        scene.upstream.fault(bad, FAULTS[name])
        assert unnoticed(scene.codex.run(SAY_HI), f"Hello from {well}.", transport), name
        served = scene.served_by()[before:]
        assert (served[0], served[-1], served.count(bad)) == (bad, well, 1), name


def new_accounts(scene: Scene, number: int) -> list[Account]:
    """Two in the place of those that are there."""
    with Store(scene.proxy.home / "pool.db") as store:
        before = store.accounts()
        made = [scene.upstream.add_account(f"acc-{number}-{place}") for place in (1, 2)]
        for place, account in enumerate(made):
            put(store, account, scene.codex.folder, place)
        for seat in before:
            store.remove_account(seat.key).result()
    return made


def test_an_account_that_says_nothing_is_left(set_up: SetUp, transport: str):
    """`rotate_head_timeout` is how long the user waits at most."""
    scene = set_up(rotate_head_timeout=2)
    scene.upstream.fault("acc-1", Fault(FaultKind.HANG))
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)
    assert scene.served_by() == ["acc-1", "acc-2"]


def test_an_account_that_accepts_and_then_says_nothing_is_left(set_up: SetUp, transport: str):
    """A socket's upgrade was fine, the answer never comes: the client by itself would wait five minutes."""
    scene = set_up(rotate_head_timeout=2)
    scene.upstream.fault("acc-1", Fault(FaultKind.HANG, in_band=True))
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)


def test_a_revoked_account_is_left_and_stays_out(set_up: SetUp, transport: str):
    """Its tokens are dead at every endpoint, the catalogue's too."""
    scene = set_up()
    scene.accounts[0].revoke()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)
    refused = [seen for seen in scene.upstream.requests if seen.account_id == "acc-1"]
    # requests that were under way together may each find out for themselves
    assert 1 <= len(refused) <= 3
    assert {seen.status for seen in refused} == {401}


def test_an_expired_token_is_renewed_and_the_account_stays(set_up: SetUp, transport: str):
    """One refresh, with a refresh token that nobody used before."""
    scene = set_up()
    scene.accounts[0].expire()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert [(refresh.account_id, refresh.ok) for refresh in scene.upstream.refreshes] == [("acc-1", True)]
    assert scene.upstream.reused_refresh_tokens == 0
    assert len(scene.accounts[0].access_tokens_issued) == 2


@BOTH_TRANSPORTS
def test_a_healthy_account_serves_every_request_and_another_one_goes_on_when_it_dies(set_up: SetUp, transport: str):
    """The client's own identity requests are untouched; between two turns the account dies, and the thread keeps its
    history."""
    scene = set_up()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}
    checks = scene.upstream.requests_to("/backend-api/wham/accounts/check")
    assert {seen.account_id for seen in checks} == {"acc-home"}
    scene.upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    again = scene.codex.run("resume", "--last", "and again")
    assert unnoticed(again, "Hello from acc-2.", transport, prompt="and again")
    assert said_upstream(scene.codex, "Hello from acc-1.")


@BOTH_TRANSPORTS
def test_turns_under_way_are_not_disturbed_when_an_account_dies(set_up: SetUp, transport: str):
    """A thread is in the middle of its answer on acc-1 when another one finds acc-1 at its limit."""
    scene = set_up()
    upstream = scene.upstream
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    running = scene.codex.start("the first thread")
    upstream.wait_for(lambda: "acc-1" in asking(scene.codex), seconds=60)
    upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)
    upstream.release()
    assert unnoticed(finish(running), "Hello from acc-1.", transport, prompt="the first thread")


def asking(codex: Codex) -> list[str | None]:
    """The accounts that a turn is running on: a request with input, over HTTP or in a socket."""
    seen = codex.proxy.upstream.requests_to("/backend-api/codex/responses")
    bodies = [(one.account_id, one.messages if one.websocket else (one.json(),)) for one in seen]
    return [account for account, sent in bodies if any(body.get("generate") is not False for body in sent)]


def said_upstream(codex: Codex, text: str) -> bool:
    """Whether the last model request carried this text."""
    last = codex.proxy.upstream.requests_to("/backend-api/codex/responses")[-1]
    return text in (str(last.messages) if last.websocket else last.body.decode())
