"""The check that is made before the proxy starts."""

import pytest
from mitmproxy import hooks
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.test import taddons

from addons import selftest


def test_the_installed_mitmproxy_passes():
    with taddons.context(Proxyserver()) as context:
        assert selftest.check(context.options) is None


def without_check_killed(monkeypatch):
    monkeypatch.delattr(HttpStream, "check_killed")


def without_passthrough(monkeypatch):
    monkeypatch.delattr(HttpStream, "passthrough")


def without_websocket_hooks(monkeypatch):
    monkeypatch.delitem(hooks.all_hooks, "websocket_message")


@pytest.mark.parametrize("move", [without_check_killed, without_passthrough, without_websocket_hooks])
def test_a_mitmproxy_that_moved_something_is_refused_by_name(monkeypatch, move):
    move(monkeypatch)
    with (
        taddons.context(Proxyserver()) as context,
        pytest.raises(selftest.Incompatible, match=r"mitmproxy .* Known to work"),
    ):
        selftest.check(context.options)
