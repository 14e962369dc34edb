"""Connections are admitted by key and by where they come from; over real sockets in tests/proxy/test_clients.py."""

import json
import os
import sys
import uuid
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from accounts.model import Event
from accounts.people.keys import ClientKey, Refusal, new_secret
from accounts.store.store import Store
from addons.clients import Clients
from addons.exchange.answering.refusals import RESPONSES
from addons.exchange.service import PoolService
from addons.startup import Startup

NOW = 1_700_000_000.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PoolService]:
    opened = PoolService(tmp_path / "rotate" / "pool.db", lambda: NOW)
    yield opened
    opened.close()


OWN = os.geteuid()
FROM = {50_000: OWN, 50_001: OWN + 1, 50_002: None}
"""Whose a connection is, by its port."""
OTHERS, UNTOLD = 50_001, 50_002


@pytest.fixture
def clients(service: PoolService) -> Clients:
    startup = Startup()
    startup.service = service
    return Clients(startup, lambda peer, _: FROM[int(peer[1])] if peer else None)


def connected(clients: Clients, flow: http.HTTPFlow) -> http.HTTPFlow:
    """The same behind what mitmproxy calls first."""
    clients.client_connected(flow.client_conn)
    return flow


def connect(peer: str, says: str = "", host: str = "chatgpt.com", port: int = 50_000) -> http.HTTPFlow:
    """A CONNECT from this address."""
    flow = tflow.tflow()
    flow.client_conn = tflow.tclient_conn()
    flow.client_conn.id = str(uuid.uuid4())
    flow.client_conn.timestamp_tls_setup = None
    flow.client_conn.peername = (peer, port)
    flow.request = http.Request.make("CONNECT", f"https://{host}/")
    if says:
        flow.request.headers["Proxy-Authorization"] = f"Basic {b64encode(says.encode()).decode()}"
    return flow


def asks(flow: http.HTTPFlow, method: str, path: str, **headers: str) -> http.HTTPFlow:
    """A request inside the connection."""
    inside = flow.copy()
    inside.client_conn = flow.client_conn
    inside.client_conn.timestamp_tls_setup = NOW
    inside.request = http.Request.make(method, f"https://chatgpt.com{path}", b"", headers)
    return inside


def status(flow: http.HTTPFlow) -> int:
    return flow.response.status_code if flow.response else 0


def test_a_kind_of_refused_client_is_a_warning_once(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """A client that is refused tries a dozen times; its owner reads of it once, and what lets it in."""
    caplog.set_level("INFO")
    for port in (OTHERS, OTHERS, UNTOLD):
        clients.http_connect(connected(clients, connect("127.0.0.1", host="example.test", port=port)))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert "another user's" in caplog.messages[0]
    assert "`codex-rotate keys add NAME" in caplog.messages[0]


@pytest.mark.skipif(sys.platform != "linux", reason="another system does not tell whose a connection is")
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_keys_the_owner_may(clients: Clients, peer: str) -> None:
    flow = connected(clients, connect(peer))
    clients.http_connect(flow)
    assert status(flow) == 0
    assert clients.account_for(flow.client_conn) == ""
    assert clients.refusal(flow.client_conn) is None


@pytest.mark.parametrize("port", [OTHERS, UNTOLD])
@pytest.mark.parametrize("host", ["chatgpt.com", "ab.chatgpt.com", "auth.openai.com", "example.test"])
def test_without_keys_other_users_of_this_machine_may_not(clients: Clients, host: str, port: int) -> None:
    """They are let in to the provider's hosts, where each of their requests is refused."""
    flow = connected(clients, connect("127.0.0.1", host=host, port=port))
    clients.http_connect(flow)
    assert status(flow) == (0 if host == "chatgpt.com" else 407)
    with pytest.raises(PermissionError):
        clients.account_for(flow.client_conn)
    if host != "chatgpt.com":
        return
    clients.requestheaders(refused := asks(flow, "POST", RESPONSES))
    assert status(refused) == 400
    assert refused.request.stream is True
    told = json.loads(refused.response.content or b"")["error"]["type"]
    assert told == {OTHERS: "codex_rotate_other_user", UNTOLD: "codex_rotate_user_untold"}[port]


def test_a_connection_that_nobody_has_announced_is_nobody_s(clients: Clients) -> None:
    clients.http_connect(flow := connect("127.0.0.1"))
    refusal = clients.refusal(flow.client_conn)
    assert refusal is not None
    assert refusal.why is Refusal.USER_UNTOLD


@pytest.mark.parametrize("port", [OTHERS, UNTOLD])
def test_who_may_can_be_widened_to_everyone_here(clients: Clients, port: int) -> None:
    clients.startup.chosen = replace(clients.startup.chosen, rotate_everyone_here=True)
    clients.http_connect(here := connected(clients, connect("127.0.0.1", port=port)))
    assert clients.account_for(here.client_conn) == ""
    clients.http_connect(elsewhere := connected(clients, connect("10.0.0.1", port=port)))
    assert clients.refusal(elsewhere.client_conn) is not None


def test_what_a_request_says_of_where_it_is_from_changes_nothing(clients: Clients) -> None:
    clients.http_connect(flow := connected(clients, connect("127.0.0.1", port=OTHERS)))
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        clients.requestheaders(inside := asks(flow, "POST", RESPONSES, **{name: "for=127.0.0.1"}))
        assert status(inside) == 400


def test_nothing_is_connected_to_for_who_was_refused(clients: Clients) -> None:
    """Whatever comes in the connection instead of requests."""
    clients.http_connect(mine := connected(clients, connect("127.0.0.1")))
    clients.http_connect(others := connected(clients, connect("127.0.0.1", port=OTHERS)))
    for flow, wrong in ((mine, False), (others, True)):
        data = ServerConnectionHookData(tflow.tserver_conn(), flow.client_conn)
        data.server.error = None
        clients.server_connect(data)
        assert bool(data.server.error) is wrong


@pytest.mark.parametrize(
    "peer", ["192.168.1.7", "10.0.0.1", "172.17.0.2", "8.8.8.8", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_without_keys_other_machines_may_not(clients: Clients, peer: str) -> None:
    """However the proxy came to listen to them: whoever reaches it would use the accounts."""
    flow = connected(clients, connect(peer))
    clients.http_connect(flow)
    clients.requestheaders(refused := asks(flow, "POST", RESPONSES))
    assert status(refused) == 400
    with pytest.raises(PermissionError):
        clients.account_for(flow.client_conn)


def test_other_machines_may_with_a_key(clients: Clients, service: PoolService) -> None:
    """One that was made after the proxy had started, too."""
    secret = new_secret()
    with_key = connect("10.0.0.1", f"-:{secret}", "example.test")
    clients.http_connect(with_key)
    assert status(with_key) == 407
    service.store.put_client_key("ann", secret, NOW).result()
    service.reload()
    clients.http_connect(again := connect("10.0.0.1", f"-:{secret}", "example.test"))
    assert status(again) == 0
    clients.http_connect(without := connected(clients, connect("127.0.0.1", host="example.test")))
    assert status(without) == 407


def test_a_key_that_is_taken_back_is_refused_by_its_name(clients: Clients, service: PoolService) -> None:
    """In the connection that showed it, and in a new one; what the client said before is not asked again."""
    secret = new_secret()
    for name in ("ann", "bob"):
        service.store.put_client_key(name, secret if name == "ann" else new_secret(), NOW).result()
    service.reload()
    clients.http_connect(flow := connect("10.0.0.1", f"-:{secret}"))
    clients.requestheaders(served := asks(flow, "POST", RESPONSES))
    assert status(served) == 0
    service.store.remove_client_key("ann").result()
    service.reload()
    clients.requestheaders(refused := asks(flow, "POST", RESPONSES))
    clients.http_connect(again := connect("10.0.0.1", f"-:{secret}"))
    clients.requestheaders(refused_too := asks(again, "POST", RESPONSES))
    for each in (refused, refused_too):
        assert json.loads(each.response.content or b"")["error"]["type"] == "codex_rotate_key_removed"
        assert "ann" in each.response.text


def test_a_request_without_a_connect_is_judged_by_itself(clients: Clients) -> None:
    """As in a mode that has none, or over plain http."""
    flow = connect("10.0.0.1")
    flow.request = http.Request.make("GET", "http://example.test/")
    clients.requestheaders(flow)
    assert status(flow) == 407


def test_a_pool_that_is_not_open_lets_nobody_in(clients: Clients) -> None:
    """But for the provider's own hosts, where each request is refused with words that the client reads."""
    clients.startup.service = None
    other, provider = connected(clients, connect("127.0.0.1", host="example.test")), connect("127.0.0.1")
    clients.http_connect(other)
    clients.http_connect(provider)
    assert (status(other), status(provider)) == (503, 0)
    inside = provider.copy()
    inside.client_conn = provider.client_conn
    clients.requestheaders(inside)
    assert status(inside) == 503


def test_where_judging_failed_nothing_is_connected_to_either(clients: Clients, service: PoolService) -> None:
    """The client is let in to be told of the defect, and no further; to other hosts it is not let in at all."""
    flow, other = (
        connected(clients, connect("127.0.0.1")),
        connected(clients, connect("127.0.0.1", host="example.test")),
    )
    service.clients.keys = None  # type: ignore[assignment]
    clients.http_connect(flow)
    clients.http_connect(other)
    assert (status(flow), status(other)) == (0, 503)
    clients.requestheaders(inside := asks(flow, "POST", RESPONSES))
    assert status(inside) == 503
    data = ServerConnectionHookData(tflow.tserver_conn(), flow.client_conn)
    data.server.error = None
    clients.server_connect(data)
    assert data.server.error


def test_the_credential_leaves_the_request(clients: Clients) -> None:
    """Nothing that shows or sends the request later may have it."""
    flow = connect("127.0.0.1", "work:secret")
    clients.http_connect(flow)
    assert not any("proxy-authorization" in name.lower() for name in flow.request.headers)


def test_whose_key_is_gone_is_unwelcome_without_asking(clients: Clients, service: PoolService) -> None:
    """One who was never let in is not: nothing of theirs is open."""
    secret = new_secret()
    for name in ("ann", "bob"):
        service.store.put_client_key(name, secret if name == "ann" else new_secret(), NOW).result()
    service.reload()
    clients.http_connect(ann := connect("10.0.0.1", f"-:{secret}"))
    clients.http_connect(connect("10.0.0.1", "-:guess"))
    assert clients.unwelcome() == set()
    service.store.remove_client_key("ann").result()
    service.reload()
    assert clients.unwelcome() == {ann.client_conn.id}


def test_a_key_goes_at_once_while_the_disk_refuses_tokens(
    clients: Clients, service: PoolService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of accounts is newer than the disk then; who may use the proxy is read all the same."""
    secret = new_secret()
    with Store(tmp_path / "rotate" / "pool.db") as other:
        for name in ("ann", "bob"):
            other.put_client_key(name, secret if name == "ann" else new_secret(), NOW).result()
        clients.http_connect(flow := connect("10.0.0.1", f"-:{secret}", "example.test"))
        assert status(flow) == 0
        monkeypatch.setattr(service.renewals, "save_again", lambda: True)
        other.remove_client_key("ann").result()
        clients.http_connect(again := connect("10.0.0.1", f"-:{secret}", "example.test"))
        assert status(again) == 407


def test_a_key_that_is_shown_from_two_places_is_in_the_history(clients: Clients, service: PoolService) -> None:
    """It is let in all the same; and the places on this machine are one."""
    secret = new_secret()
    with Store(service.store.path) as other:
        other.people.put_key(ClientKey(name="ann-1", digest="", created_at=NOW), secret).result()
    for peer in ("127.0.0.1", "::1", "::ffff:10.0.0.5", "10.0.0.5", "10.0.0.9", "10.0.0.9"):
        flow = connected(clients, connect(peer, says=f"-:{secret}"))
        clients.http_connect(flow)
        assert not flow.response
    service.store.record(Event(at=NOW, kind="last")).result()
    found = [each.detail for each in service.store.events(10) if each.kind == "key_shared"]
    assert found == ["ann-1: this machine, 10.0.0.5"]
