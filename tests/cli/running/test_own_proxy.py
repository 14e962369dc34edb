"""Which proxy of ours a client gets."""

from pathlib import Path

import pytest

from cli.running import proxies
from cli.running.client_command import Bound
from cli.running.own_proxy import find_proxy
from config.proxy_files import ProxyInfo


def test_a_proxy_for_debugging_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its authority could vouch for every host; a client that was not asked to must not trust it."""
    told = ProxyInfo(url="http://127.0.0.1:1", pid=1, home="/h", certificate="/h/c", version="1", everything=True)
    monkeypatch.setattr(proxies, "running", lambda _: [told])
    assert find_proxy(Bound(file=tmp_path), {}) is None
