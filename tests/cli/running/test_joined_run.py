"""`run` behind a joined proxy: the client gets its address, key and certificate, and no other proxy is started."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from certs import ca
from cli.running import joined, proxies
from config import clock, proxy_files
from config.join_file import Invitation
from standin import StandIn
from tests.harness import MITMDUMP, PATIENCE, Proxy, eventually, fill, plain_environment

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
pytestmark = pytest.mark.usefixtures("warm_starts")
SHOW = "import os, json; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """Somebody else's, with a key for ann."""
    home = tmp_path / "theirs"
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        ca.create(home / "ca", clock.now())
        with Proxy(upstream, home, home / "ca") as running:
            assert eventually(lambda: proxies.running({"CODEX_ROTATE_HOME": str(home)}), seconds=60)
            yield running


@pytest.fixture
def environ(tmp_path: Path, proxy: Proxy) -> dict[str, str]:
    """Of a user who has joined it and has nothing else."""
    secret = new_secret()
    with Store(tmp_path / "theirs" / "pool.db") as store:
        store.put_client_key("ann", secret, clock.now()).result()
    home = {name: str(tmp_path / "ann") for name in ("HOME", "CODEX_HOME", "CODEX_ROTATE_HOME")}
    made = plain_environment() | home
    certificate = (proxy.confdir / "trusted.pem").read_text()
    joined.keep(Invitation(host="127.0.0.1", port=proxy.port, name="ann", key=secret, certificate=certificate), made)
    return made


def run(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [ROTATE, "run", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_client_is_led_there(environ: dict[str, str], proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one account as well; its exit code is ours, and nothing is left in this user's home."""
    with monkeypatch.context() as started_as_by_a_user:
        started_as_by_a_user.setenv("COLD", "1")
        done = run(environ, "--account", "my work", "--", sys.executable, "-c", SHOW)
    led = json.loads(done.stdout)
    key = (joined.current(environ) or pytest.fail("nothing is joined")).key
    assert led["HTTPS_PROXY"] == f"http://my%20work:{key}@127.0.0.1:{proxy.port}"
    assert led["CODEX_CA_CERTIFICATE"] == str(joined.folder(environ) / "mitmproxy-ca-cert.pem")
    assert run(environ, "--", sys.executable, "-c", "raise SystemExit(42)").returncode == 42
    assert [each.name for each in Path(environ["CODEX_ROTATE_HOME"]).iterdir()] == ["joined"]
    assert proxy_files.announced(proxy_files.folder(environ)) == []


def test_a_key_that_was_taken_back_is_said_before_the_client_starts(environ: dict[str, str], proxy: Proxy) -> None:
    with Store(proxy.home / "pool.db") as store:
        store.put_client_key("bob", new_secret(), clock.now()).result()
        store.remove_client_key("ann").result()
    done = run(environ, "--", sys.executable, "-c", "raise SystemExit(42)")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not take the key of ann any more" in done.stderr


def test_a_proxy_that_ends_under_the_client_is_said(environ: dict[str, str], proxy: Proxy) -> None:
    waiting = "import sys; print('ready', flush=True); sys.stdin.read()"
    command = [ROTATE, "run", "--", sys.executable, "-c", waiting]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(proxy.process.pid, signal.SIGKILL)
        proxy.process.wait(PATIENCE)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ended while the client was using it. Ask whoever runs it" in err
