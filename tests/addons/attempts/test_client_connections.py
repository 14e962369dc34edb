"""What a client's connection can be asked for. That it works on this mitmproxy is selftest.py's to say, and draining's
test in the real proxy.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.test import taddons, tflow

from addons.attempts import selftest
from addons.attempts.client_connections import ClientConnections, go_away


@pytest.fixture
def listed() -> dict[Any, Any]:
    return {}


@pytest.fixture
def clients(listed: dict[Any, Any]) -> ClientConnections:
    proxyserver = Proxyserver()
    proxyserver.connections = listed
    return ClientConnections(proxyserver)


def test_those_that_end_while_they_are_looked_at_are_no_trouble(
    clients: ClientConnections, listed: dict[Any, Any]
) -> None:
    listed |= {"a": None, "b": None}
    for each in clients:
        del listed[each]
    assert list(clients) == []


def test_one_that_has_gone_or_has_not_begun_is_left_alone(clients: ClientConnections, listed: dict[Any, Any]) -> None:
    client = tflow.tclient_conn()
    listed["without transport"] = SimpleNamespace(client=client, transports={})
    listed["without task"] = SimpleNamespace(client=client, transports={client: SimpleNamespace(handler=None)})
    for each in ("gone", *clients):
        clients.close(each)
    assert len(listed) == 2


def test_only_http2_is_told_to_go_elsewhere() -> None:
    unknown: Client = tflow.tclient_conn()
    go_away(unknown)
    with taddons.context(Proxyserver()) as context:
        rehearsal = selftest.Rehearsal(context.options, selftest.Script("first"))
        rehearsal.says(rehearsal.client, selftest.ASK)
        go_away(rehearsal.client)
        rehearsal.says(rehearsal.servers[0], selftest.FINE)
        assert rehearsal.sent[rehearsal.client] == selftest.FINE
