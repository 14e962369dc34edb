"""What a person hears who lets plain mitmproxy open more hosts than the constrained CA can vouch for."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from addons.startup import CANNOT_VOUCH, opens_others
from addons.wire.routes import INTERCEPT
from certs import ca
from config import clock
from standin import StandIn
from tests.harness import Proxy, fill


@pytest.mark.parametrize(
    ("patterns", "others"),
    [
        ([INTERCEPT], False),
        ([r"^chatgpt\.com:443$", r"(.+\.)?openai\.com"], True),
        ([], True),
        ([".*"], True),
        (["chatgpt.com", "example.org"], True),
        (["chatgpt.com|"], True),
    ],
)
def test_patterns_that_open_other_hosts_are_recognised(patterns: Sequence[str], *, others: bool) -> None:
    assert opens_others(patterns) is others


def told(folder: Path, confdir: Path, *flags: str) -> bool:
    """Whether the proxy warns; it stands there and serves either way."""
    with StandIn() as upstream:
        fill(folder / "home", [upstream.add_account("acc-1")], folder)
        with Proxy(upstream, folder / "home", confdir, flags) as proxy:
            proxy.output.wait_for("codex-rotate: 1 accounts from", seconds=20)
            return CANNOT_VOUCH in proxy.stop()


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        ((), False),
        (("--set", "allow_hosts=.*"), True),
        (("--set", "ignore_hosts=example"), True),
        (("--set", r"allow_hosts=^chatgpt\.com:443$"), False),
    ],
    ids=["as we set it", "all hosts", "all but some", "fewer"],
)
def test_our_ca_and_other_hosts_are_a_warning(tmp_path: Path, flags: tuple[str, ...], *, warned: bool) -> None:
    """Clients would refuse those hosts and nobody would know why; it names the command for that."""
    ca.create(tmp_path / "home" / "ca", clock.now())
    assert told(tmp_path, tmp_path / "home" / "ca", *flags) is warned
    assert "codex-rotate serve --intercept-all" in CANNOT_VOUCH


def test_with_a_ca_of_mitmproxy_s_own_there_is_nothing_to_warn_of(tmp_path: Path) -> None:
    assert not told(tmp_path, tmp_path / "mitmproxy", "--set", "allow_hosts=.*")
