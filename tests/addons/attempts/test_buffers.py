"""Connections that are up keep no empty buffers."""

from mitmproxy.net.tls import Method
from mitmproxy.test import tflow
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from addons.attempts.buffers import Buffers


def mode(connection: SSL.Connection) -> int:
    """What is set; to set nothing tells."""
    assert Buffers.SET_MODE is not None
    return int(Buffers.SET_MODE(connection._ssl, 0))


def data(connection: SSL.Connection | None) -> TlsData:
    return TlsData(tflow.tclient_conn(), None, connection)  # type: ignore[arg-type]


def test_buffers_are_released_on_both_sides() -> None:
    context = SSL.Context(Method.TLS_SERVER_METHOD.value)
    client, server = SSL.Connection(context), SSL.Connection(context)
    before = mode(client)
    Buffers().tls_established_client(data(client))
    Buffers().tls_established_server(data(server))
    assert not before & SSL.MODE_RELEASE_BUFFERS
    assert mode(client) == mode(server) == before | SSL.MODE_RELEASE_BUFFERS


def test_a_connection_that_nobody_has_made_stays_none() -> None:
    given = data(None)
    Buffers().tls_established_client(given)
    assert given.ssl_conn is None
