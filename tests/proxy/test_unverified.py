"""With ssl_insecure and a server that is not on this machine, no account's token leaves."""

from pathlib import Path

import pytest

from standin import StandIn
from tests.harness import Proxy, fill, options
from tests.proxy.clients import Http2, Socket, http1, turn1
from tests.proxy.conftest import LOADED, Bench

FLAGS = options(ssl_insecure=True)
SCRIPTS = [Path(__file__).with_name("far_away.py")]


@pytest.fixture
def bench(shared: Bench) -> Bench:
    """No calm turn before: here none is served."""
    shared.began = len(shared.upstream.requests)
    return shared


@pytest.mark.parametrize("version", ["http1", "http2", "ws"])
def test_what_an_account_would_serve_is_refused(bench: Bench, version: str) -> None:
    headers = bench.headers()
    if version == "ws":
        with Socket(bench.proxy, headers) as client:
            assert client.upgrade.status == 503
    elif version == "http2":
        with Http2(bench.proxy) as wire:
            assert wire.turn(headers).status == 503
    else:
        with http1(bench.proxy) as plain:
            for _ in range(2):  # also on the connection that is there by now
                answer = turn1(plain, headers)
                assert (answer.status, answer.error["type"]) == (503, "codex_rotate_unverified")
    assert bench.seen() == ()
    bench.proxy.output.wait_for("a request was not sent: ssl_insecure is on", seconds=5)


def test_what_is_the_clients_own_goes_as_it_asked_for(bench: Bench) -> None:
    with http1(bench.proxy) as client:
        client.get("/backend-api/me", headers=bench.headers())
    assert [seen.account_id for seen in bench.seen()] == [bench.home.account_id]


def test_the_start_says_so(bench: Bench) -> None:
    assert bench.proxy.output.wait_for("ssl_insecure is on, so nobody verifies servers", seconds=5)


@pytest.mark.parametrize(("more", "served"), [({}, "here"), ({"rotate_allow_insecure": True}, "there")])
def test_a_server_of_this_machine_or_the_second_switch(
    tmp_path: Path, confdir: Path, more: dict[str, bool], served: str
) -> None:
    home, scripts = tmp_path / "rotate", SCRIPTS if served == "there" else []
    with StandIn() as upstream:
        account, own = upstream.add_account("acc-1"), upstream.add_account("acc-own")
        fill(home, [account], tmp_path)
        with Proxy(upstream, home, confdir, options(ssl_insecure=True, **more), scripts) as proxy:
            proxy.output.wait_for(LOADED, seconds=60)
            with http1(proxy) as client:
                headers = {"authorization": f"Bearer {own.access_token}", "chatgpt-account-id": own.account_id}
                assert turn1(client, {**headers, "content-type": "application/json"}).completed
            assert ("GO TO SERVERS THAT NOBODY HAS VERIFIED" in proxy.stop()) is (served == "there")
