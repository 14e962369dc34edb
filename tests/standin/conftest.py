"""A running stand-in and the clients for it."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from standin import Account, StandIn
from tests.standin.clients import PATIENCE, Http2Client, SocketClient


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def account(upstream: StandIn) -> Account:
    return upstream.add_account("acc-1", user_id="user-1", email="one@example.com")


@pytest.fixture
def other(upstream: StandIn) -> Account:
    return upstream.add_account("acc-2", user_id="user-2", email="two@example.com", plan="pro")


@pytest.fixture
def http(upstream: StandIn) -> Iterator[httpx.Client]:
    """HTTP/1.1 over TLS."""
    context = ssl.create_default_context(cafile=str(upstream.ca_file))
    base_url = f"https://localhost:{upstream.port}"
    with httpx.Client(verify=context, trust_env=False, base_url=base_url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def connect(upstream: StandIn) -> Iterator[Callable[..., ssl.SSLSocket]]:
    """A raw TLS connection to the stand-in, offering what ALPN says; closed at the end of the test."""
    with ExitStack() as stack:

        def open_connection(*alpn: str) -> ssl.SSLSocket:
            context = ssl.create_default_context(cafile=str(upstream.ca_file))
            if alpn:
                context.set_alpn_protocols(list(alpn))
            raw = stack.enter_context(socket.create_connection(upstream.address, timeout=PATIENCE))
            return stack.enter_context(context.wrap_socket(raw, server_hostname="chatgpt.com"))

        yield open_connection


@pytest.fixture
def h2_client(connect: Callable[..., ssl.SSLSocket]) -> Callable[[], Http2Client]:
    return lambda: Http2Client(connect("h2", "http/1.1"))


@pytest.fixture
def ws_client(connect: Callable[..., ssl.SSLSocket]) -> Callable[[Account], "SocketClient"]:
    return lambda account: SocketClient(connect(), account)
