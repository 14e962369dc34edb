"""A proxy of ours is started as mitmproxy's own tool, and a port that cannot be had is said before."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from cli.running import processes
from cli.running.proxy_command import PortOurs, PortTaken, check_free, start
from tests.cli.conftest import Fill
from tests.cli.serving import serving, stopped

MAY_ALL = os.name != "posix" or os.geteuid() == 0 or os.uname().sysname == "Darwin"


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} .* --listen"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


@pytest.mark.usefixtures("warm_starts")
def test_a_port_of_one_of_our_proxies_is_known_as_that(fill: Fill, home: Path, tmp_path: Path) -> None:
    """Whose it is, and what ends it; one of another pool has to be named."""
    fill("ann")
    with serving(home) as (process, _, port):
        with pytest.raises(PortOurs, match=r"process \d+, with the same pool") as told:
            check_free("127.0.0.1", port)
        assert "`codex-rotate stop` ends it" in str(told.value)
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.setenv("CODEX_ROTATE_HOME", str(tmp_path / "other"))
            with pytest.raises(PortOurs, match=rf"another pool .*CODEX_ROTATE_HOME='{home}' codex-rotate stop"):
                check_free("127.0.0.1", port)
        stopped(process)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 8118, "does not have that address"),
        pytest.param("127.0.0.1", 80, "may not listen there", marks=pytest.mark.skipif(MAY_ALL, reason="may listen")),
    ],
)
def test_a_place_that_cannot_be_is_said_as_what_it_is(host: str, port: int, words: str) -> None:
    with pytest.raises(PortTaken, match=words):
        check_free(host, port)


@pytest.mark.usefixtures("cold")
def test_what_it_starts_is_mitmproxys_own_tool_from_any_folder(tmp_path: Path) -> None:
    """Also where a file of the folder is called like one of our packages. The other tool is started so elsewhere:
    tests/cli/commands/use/test_serve_ends.py."""
    (tmp_path / "addons.py").write_text("raise SystemExit('the wrong addons')")
    done = processes.run([*start("mitmweb"), "--version"], os.environ, tmp_path, 60)
    assert (done.code, done.out[:10]) == (0, "Mitmproxy:"), done.err
