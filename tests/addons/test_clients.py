"""Connections are admitted by key and by where they come from; over real sockets in tests/proxy/test_clients.py."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.client_keys import new_secret
from addons.clients import Clients
from addons.service import PoolService
from addons.startup import Startup

NOW = 1_700_000_000.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PoolService]:
    opened = PoolService(tmp_path / "rotate" / "pool.db", lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture
def clients(service: PoolService) -> Clients:
    startup = Startup()
    startup.service = service
    return Clients(startup)


def connect(peer: str, says: str = "", host: str = "chatgpt.com") -> http.HTTPFlow:
    """A CONNECT from this address."""
    flow = tflow.tflow()
    flow.client_conn.peername = (peer, 50_000)
    flow.request = http.Request.make("CONNECT", f"https://{host}/")
    if says:
        flow.request.headers["Proxy-Authorization"] = f"Basic {b64encode(says.encode()).decode()}"
    return flow


def status(flow: http.HTTPFlow) -> int:
    return flow.response.status_code if flow.response else 0


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_machine_may(clients: Clients, peer: str) -> None:
    flow = connect(peer)
    clients.http_connect(flow)
    assert status(flow) == 0
    assert clients.account_for(flow.client_conn) == ""


@pytest.mark.parametrize(
    "peer", ["192.168.1.7", "10.0.0.1", "172.17.0.2", "8.8.8.8", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_without_keys_other_machines_may_not(clients: Clients, peer: str) -> None:
    """However the proxy came to listen to them: whoever reaches it would use the accounts."""
    flow = connect(peer)
    clients.http_connect(flow)
    assert status(flow) == 407
    with pytest.raises(KeyError):
        clients.account_for(flow.client_conn)


def test_other_machines_may_with_a_key(clients: Clients, service: PoolService) -> None:
    """One that was made after the proxy had started, too."""
    secret = new_secret()
    with_key = connect("10.0.0.1", f"-:{secret}")
    clients.http_connect(with_key)
    assert status(with_key) == 407
    service.store.put_client_key("ann", secret, NOW).result()
    service.reload()
    clients.http_connect(again := connect("10.0.0.1", f"-:{secret}"))
    assert status(again) == 0
    clients.http_connect(without := connect("127.0.0.1"))
    assert status(without) == 407


def test_a_request_without_a_connect_is_judged_by_itself(clients: Clients) -> None:
    """As in a mode that has none, or over plain http."""
    flow = connect("10.0.0.1")
    flow.request = http.Request.make("GET", "http://example.test/")
    clients.requestheaders(flow)
    assert status(flow) == 407


def test_a_pool_that_is_not_open_lets_nobody_in(clients: Clients) -> None:
    """But for the provider's own hosts, where each request is refused with words that the client reads."""
    clients.startup.service = None
    other, provider = connect("127.0.0.1", host="example.test"), connect("127.0.0.1")
    clients.http_connect(other)
    clients.http_connect(provider)
    assert (status(other), status(provider)) == (503, 0)
    inside = provider.copy()
    inside.client_conn = provider.client_conn
    clients.requestheaders(inside)
    assert status(inside) == 503


def test_the_credential_leaves_the_request(clients: Clients) -> None:
    """Nothing that shows or sends the request later may have it."""
    flow = connect("127.0.0.1", "work:secret")
    clients.http_connect(flow)
    assert not any("proxy-authorization" in name.lower() for name in flow.request.headers)
