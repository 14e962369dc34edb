"""The script that leads every connection to the stand-in."""

import pytest
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from standin import redirect


def test_every_connection_goes_to_the_port_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address changes; the name the certificate is checked against does not."""
    monkeypatch.setenv(redirect.PORT, "4711")
    data = ServerConnectionHookData(tflow.tserver_conn(), tflow.tclient_conn())
    data.server.sni = "chatgpt.com"
    (script,) = redirect.addons
    script.server_connect(data)
    assert data.server.address == ("127.0.0.1", 4711)
    assert data.server.sni == "chatgpt.com"
