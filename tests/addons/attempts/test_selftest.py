"""The check that is made before the proxy starts."""

import re
import types

import pytest
from mitmproxy import hooks
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.test import taddons

from addons.attempts import selftest
from tests.harness import ROOT


def test_the_installed_mitmproxy_passes():
    with taddons.context(Proxyserver()) as context:
        assert selftest.check(context.options) is None


def test_known_to_work_is_what_is_tested():
    """From the lowest release that pyproject.toml allows, which `make installs` tries, to the one that is locked."""
    lowest = re.search(r'"mitmproxy>=([\d.]+)', (ROOT / "pyproject.toml").read_text("utf-8"))[1]
    locked = re.search(r"^mitmproxy==([\d.]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)[1]
    assert f"{lowest}.0 to {locked}" == selftest.KNOWN


def without_check_killed(monkeypatch):
    monkeypatch.delattr(HttpStream, "check_killed")


def without_passthrough(monkeypatch):
    monkeypatch.delattr(HttpStream, "passthrough")


def without_websocket_hooks(monkeypatch):
    monkeypatch.delitem(hooks.all_hooks, "websocket_message")


def without_h2_s_buffer(monkeypatch):
    """What is written to it never leaves."""
    monkeypatch.setattr(Http2Server, "h2_conn", property(lambda _: None, lambda *_: None), raising=False)


def with_a_farewell_that_never_leaves(monkeypatch):
    monkeypatch.setattr(selftest.client_connections, "go_away", lambda _: None)


def without_a_list_of_connections(monkeypatch):
    monkeypatch.setattr(Proxyserver, "connections", property(lambda _: {}, lambda *_: None), raising=False)


def with_tasks_elsewhere(monkeypatch):
    monkeypatch.setattr(selftest, "ConnectionIO", lambda handler: types.SimpleNamespace(task=handler))


@pytest.mark.parametrize(
    "move",
    [
        without_check_killed,
        without_passthrough,
        without_websocket_hooks,
        without_h2_s_buffer,
        with_a_farewell_that_never_leaves,
        without_a_list_of_connections,
        with_tasks_elsewhere,
    ],
)
def test_a_mitmproxy_that_moved_something_is_refused_by_name(monkeypatch, move):
    move(monkeypatch)
    with (
        taddons.context(Proxyserver()) as context,
        pytest.raises(selftest.Incompatible, match=r"mitmproxy .* Known to work"),
    ):
        selftest.check(context.options)


def test_the_installed_mitmproxy_leads_through_another_proxy():
    with taddons.context(Proxyserver()) as context:
        assert selftest.check_tunnel(context.options) is None


def straight_on(monkeypatch):
    """A layer that forgets about the other proxy."""
    monkeypatch.setattr(selftest.connections, "lead_through", lambda *_: None)


def without_connect(monkeypatch):
    """A layer that connects without asking for a tunnel."""
    plain = HttpLayer.get_connection

    def get_connection(self, event, **more):
        event.via = None
        yield from plain(self, event, **more)

    monkeypatch.setattr(HttpLayer, "get_connection", get_connection)


def without_a_password(monkeypatch):
    monkeypatch.setattr(selftest.connections.GetAccountConnection, "took", lambda *_: None)


@pytest.mark.parametrize("move", [straight_on, without_connect, without_a_password])
def test_a_mitmproxy_that_goes_past_another_proxy_is_refused(monkeypatch, move):
    move(monkeypatch)
    with (
        taddons.context(Proxyserver()) as context,
        pytest.raises(selftest.Incompatible, match=r"mitmproxy .* Known to work"),
    ):
        selftest.check_tunnel(context.options)
