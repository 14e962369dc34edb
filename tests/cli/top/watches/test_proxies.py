"""Asking the proxies that run. tests/cli/top/test_in_a_terminal.py has a real one."""

from pathlib import Path

from cli.top.facts import ProxyFacts
from cli.top.watches.proxies import ProxyWatch
from config import paths, proxy_files
from config.proxy_files import ProxyInfo
from tests.builders import NOW


def test_where_none_has_ever_run_nobody_is_asked(home: Path) -> None:
    assert ProxyWatch().look(NOW) == ProxyFacts()
    assert not home.exists()


def test_one_that_was_killed_is_none(home: Path) -> None:
    """Its file is still there, and nobody listens."""
    left = ProxyInfo(url="http://127.0.0.1:1", pid=2**22, home=str(home), certificate="", version="0")
    paths.make_private_folder(home)
    proxy_files.announce(left, proxy_files.folder())
    assert ProxyWatch().look(NOW) == ProxyFacts()
