"""What safety leans on is in force once a proxy runs, however it was started."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from standin import StandIn
from tests.harness import START_SECONDS, Proxy, fill, options
from tests.proxy.clients import http1, turn1

resource = pytest.importorskip("resource")

ONLOOKER = """
import asyncio

def running():
    dials = asyncio.get_running_loop().create_connection
    print("dials with", type(getattr(dials, "__self__", None)).__name__, flush=True)
"""


@contextmanager
def started_carelessly() -> Iterator[None]:
    """With an open umask, and few file descriptors."""
    umask, (soft, hard) = os.umask(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        yield
    finally:
        os.umask(umask)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="the kernel tells it there")
def test_what_safety_leans_on_is_in_force_however_the_proxy_was_started(tmp_path: Path, confdir: Path) -> None:
    home, flows, script = tmp_path / "rotate", tmp_path / "flows", tmp_path / "onlooker.py"
    script.write_text(ONLOOKER)
    with StandIn() as upstream:
        own, first = upstream.add_account("acc-own"), upstream.add_account("acc-1")
        fill(home, [first], tmp_path)
        left = [folder / ".unfinished-of-a-killed-one" for folder in (home, home / "locks", tmp_path / "codex")]
        for each in left:
            each.parent.mkdir(mode=0o700, exist_ok=True)
            each.touch()
            os.utime(each, (1, 1))
        flags = ["-w", str(flows), *options(stickyauth=".*", connection_strategy="eager", upstream_cert=True)]
        env = {"SSLKEYLOGFILE": str(tmp_path / "keys"), "CODEX_HOME": str(tmp_path / "codex")}
        proxy = Proxy(upstream, home, confdir, flags, [script], env, cold=True)
        with started_carelessly():
            proxy.__enter__()
        try:
            proxy.output.wait_for("dials with Dialer", seconds=START_SECONDS)
            headers = {"authorization": f"Bearer {own.access_token}", "content-type": "application/json"}
            with http1(proxy) as client:
                assert turn1(client, headers).text == first.answer
            told = Path(f"/proc/{proxy.process.pid}")
            limits = re.search(r"Max open files\s+(\S+)\s+(\S+)", (told / "limits").read_text())
            assert limits is not None
            assert limits[1] == limits[2]
            assert "Umask:\t0077" in (told / "status").read_text()
        finally:
            said = proxy.stop()
    assert "SSLKEYLOGFILE is set: the keys of every connection are written" in said
    assert "connection_strategy=lazy, stickyauth=None, upstream_cert=False" in said
    assert not [each for each in left if each.exists()]
    assert stat.S_IMODE(flows.stat().st_mode) == 0o600
