"""Without verified servers, what bears an account's token goes to this machine only."""

import json

import pytest
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Server
from mitmproxy.test import taddons

from addons.attempts.protocol import Send
from addons.attempts.unverified import refusal
from addons.startup import Startup

FAR = ("203.0.113.9", 443)


def refused(
    peer: tuple[str, int] | None,
    *,
    key: str = "a",
    url: str = "https://chatgpt.com/",
    via: bool = False,
    **set_to: bool,
) -> bool:
    server = Server(address=("127.0.0.1", 443), peername=peer, via=("http", ("127.0.0.1", 3128)) if via else None)
    with taddons.context(Startup(), Proxyserver()) as context:
        context.options.update(**{"ssl_insecure": True, **set_to})
        found = refusal(Send(http.Request.make("POST", url), key=key), server, context.options)
    if found is not None:
        assert found.response.status_code == 503
        assert json.loads(found.response.content or b"")["error"]["type"] == "codex_rotate_unverified"
    return found is not None


@pytest.mark.parametrize("peer", [("127.0.0.1", 8443), ("::1", 8443, 0, 0), ("127.9.9.9", 1)])
def test_a_server_of_this_machine_is_served(peer: tuple[str, int]) -> None:
    assert not refused(peer)


@pytest.mark.parametrize("peer", [FAR, ("2001:db8::1", 443, 0, 0), ("10.0.0.1", 443), None])
def test_a_server_elsewhere_or_unknown_is_refused_wherever_the_request_was_addressed(peer: tuple[str, int]) -> None:
    assert refused(peer)


def test_another_proxy_on_this_machine_is_no_server_of_this_machine() -> None:
    assert refused(("127.0.0.1", 3128), via=True)


def test_the_second_switch_lets_it_go_anywhere() -> None:
    assert not refused(FAR, rotate_allow_insecure=True)


def test_verified_servers_the_clients_own_requests_and_what_has_no_tls_are_not_concerned() -> None:
    assert not refused(FAR, ssl_insecure=False)
    assert not refused(FAR, key="")
    assert not refused(FAR, url="http://chatgpt.com/")
