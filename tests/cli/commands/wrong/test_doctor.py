"""`doctor` as a person runs it, on machines where something is wrong: it says what, and mends what is safe to mend."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accounts.model import Standing
from accounts.store.store import Store
from certs import ca
from cli.commands.wrong.doctor import doctor, summary
from cli.doctor import proxies
from cli.doctor.finding import Severity
from config import clock, dotenv, proxy_files
from config.proxy_files import ProxyInfo
from tests.cli.conftest import Ran, Run
from tests.cli.doctor.test_daemon import ARGUMENTS, daemon
from tests.cli.doctors import FEATURES, Machine, enter, fake_codex, free, listening, machine, private
from tests.harness import MITMDUMP, secrets_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.usefixtures("warm_starts"),
]
"""A proxy outlives, on purpose, the command that has started it; here the command's process is that of the tests."""

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
PASSWORD = "hunter2-nobody-may-see"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        enter(made, monkeypatch)
        monkeypatch.setattr(proxies, "DEFAULT_PROXY", free())  # somebody may use the real one on this machine
        yield made


@pytest.fixture
def ready(here: Machine) -> Machine:
    """The same with a CA, so that everything is as it should be."""
    ca.create(here.home / "ca", clock.now())
    return here


def states(ran: Ran) -> dict[str, str]:
    """By name, the worst of each."""
    order = [str(state) for state in Severity]
    found: dict[str, str] = {}
    for each in ran.json["findings"]:
        found[each["name"]] = max(found.get(each["name"], "ok"), each["state"], key=order.index)
    return found


def wrong(ran: Ran) -> dict[str, str]:
    return {name: state for name, state in states(ran).items() if state in {"warning", "problem"}}


# --- a machine on which all is well ----------------------------------------------------------------------------------


def test_all_is_well(ready: Machine, run: Run) -> None:
    """It goes through a proxy that it starts, to the provider, with an account of the pool; a second one finds it."""
    ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)) == (0, {}), ran.out
    found = states(ran)
    assert [found[name] for name in ("probe.models", "probe.websocket", "client.doctor")] == ["ok"] * 3
    assert {seen.account_id for seen in ready.upstream.requests} == {"acc-1"}
    assert ran.json["summary"]["problem"] == 0
    assert ran.json["fixed"] == []
    ran = run("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("No problem was found.\n")
    assert "Tried through the proxy at" in ran.out


def test_on_a_terminal_every_line_has_a_mark_and_fits(ready: Machine) -> None:
    master, slave = pty.openpty()
    terminal = {**ready.environ, "COLUMNS": "72", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [ROTATE, "doctor"], env=terminal, stdout=slave, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    os.close(slave)
    said = b""
    while chunk := read(master):
        said += chunk
    os.close(master)
    assert process.wait() == 0, said
    lines = said.decode().replace("\r", "").splitlines()
    assert max(len(line) for line in lines if "/" not in line) <= 72  # a path is not broken
    assert all(line.startswith(("  ✓ ", "  · ", "    ")) for line in lines if line.startswith(" "))


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody is at the other end any more
        return b""


# --- machines on which something is wrong ----------------------------------------------------------------------------


def test_nothing_at_all(run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that somebody runs: it says how to begin, makes nothing and asks nobody."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert {"accounts.any": "problem", "client.login": "problem"}.items() <= wrong(ran).items()
    assert not home.exists()


def test_what_a_shell_says(ready: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other proxies, exceptions, certificates, and schemes that break WebSocket."""
    with listening() as other:
        monkeypatch.setenv("HTTPS_PROXY", other.replace("://", f"://ann:{PASSWORD}@"))
        monkeypatch.setenv("NO_PROXY", "a.test,chatgpt.com")
        monkeypatch.setenv("SSL_CERT_FILE", str(ready.folder / "none.pem"))
        ran = run("doctor", "--json")
    assert wrong(ran) == {"shell.proxy": "warning", "shell.no_proxy": "warning", "shell.certificate": "warning"}
    assert PASSWORD not in ran.out
    monkeypatch.setenv("HTTPS_PROXY", f"https://ann:{PASSWORD}@proxy.test:1")
    ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)["shell.proxy"], PASSWORD in ran.out) == (1, "problem", False)


def test_the_usual_port_is_taken(ready: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(b"not even HTTP") as address:
        monkeypatch.setattr(proxies, "DEFAULT_PROXY", address)
        ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)) == (0, {"proxy.port": "warning"})


def test_accounts_that_cannot_serve(ready: Machine, run: Run) -> None:
    with Store(ready.home / "pool.db") as store:
        for each in store.accounts():
            store.set_standing(each.key, Standing.NEEDS_LOGIN).result()
    ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)["accounts.ready"], wrong(ran)["probe.models"]) == (1, "problem", "problem")


def test_a_login_with_two_owners(ready: Machine, run: Run) -> None:
    assert run("sync", "pull").code == 0
    ran = run("doctor", "--json")
    (shared,) = [each for each in ran.json["findings"] if each["name"] == "accounts.shared"]
    assert "A login of the pool's own is safer" in shared["remedy"]


def test_a_client_that_the_pool_never_serves(ready: Machine, run: Run) -> None:
    private(ready.client / "auth.json", json.dumps({"OPENAI_API_KEY": f"sk-{PASSWORD}"}))
    private(ready.client / "config.toml", f'openai_base_url = "https://u:{PASSWORD}@gw.test"\n')
    fake_codex(ready.programs, features=FEATURES.replace("false", "true"))
    ran = run("doctor", "--json")
    assert wrong(ran) == {"client.login": "problem", "client.settings": "problem", "client.features": "problem"}
    assert PASSWORD not in ran.out


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes do not show their environment")
def test_a_server_of_the_client_that_goes_past_us(ready: Machine, run: Run) -> None:
    with daemon(*ARGUMENTS, CODEX_HOME=str(ready.client), OPENAI_API_KEY=PASSWORD) as pid:
        ran = run("doctor", "--json")
    assert (wrong(ran), str(pid) in ran.out, PASSWORD in ran.out) == ({"client.daemon": "warning"}, True, False)


def test_the_provider_is_out_of_reach(ready: Machine, run: Run) -> None:
    """The company's proxy is down."""
    ready.corporate.close()
    ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)) == (1, {"probe.models": "problem", "probe.websocket": "problem"})


def test_the_clients_own_checks_fail(ready: Machine, run: Run) -> None:
    check = {"status": "fail", "summary": "no way out", "remediation": "Find one."}
    fake_codex(ready.programs, doctor=json.dumps({"checks": {"network.x": check}}))
    ran = run("doctor", "--json")
    assert (ran.code, wrong(ran)) == (1, {"client.doctor.network.x": "problem"})


def test_a_pool_of_a_newer_one_is_left_as_it_is(ready: Machine, run: Run) -> None:
    import sqlite3

    with closing(sqlite3.connect(ready.home / "pool.db")) as db:
        db.execute("PRAGMA user_version = 99")
    before = (ready.home / "pool.db").read_bytes()
    ran = run("doctor", "--fix", "--json")
    assert (ran.code, wrong(ran)) == (1, {"storage.pool": "problem"})
    assert (ready.home / "pool.db").read_bytes() == before


# --- mending ---------------------------------------------------------------------------------------------------------


def test_everything_that_is_safe_is_mended_and_then_all_is_well(here: Machine, run: Run) -> None:
    """Each repair is said. Accounts, logins and the user's own lines are what they were."""
    own = b"# mine\nA=1\n"
    file = here.client / ".env"
    values = {"HTTPS_PROXY": free(), "SSL_CERT_FILE": "/none/bundle.pem", "NO_PROXY": "localhost"}
    file.write_bytes(dotenv.bind(own, values))
    (here.home / "config.toml").chmod(0o644)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = ProxyInfo(url=free(), pid=ended.pid, home=str(here.home), certificate="", version="1")
    left = proxy_files.announce(gone, here.home / "proxies")
    login = (here.client / "auth.json").read_bytes()

    before = run("doctor", "--json")
    expected = {"storage.modes": "problem", "dotenv.block": "problem", "dotenv.certificate": "problem"}
    assert (before.code, wrong(before)) == (1, expected)
    assert states(before)["proxy.stale"] == "note"
    assert (file.read_bytes() != own, left.exists(), (here.home / "ca" / "mitmproxy-ca.pem").exists()) == (
        True, True, False,
    )  # fmt: skip

    mended = run("doctor", "--fix", "--json")
    assert (mended.code, wrong(mended), mended.json["not_fixed"]) == (0, {}, [])
    assert len(mended.json["fixed"]) == 4
    assert (file.read_bytes(), left.exists(), (here.client / "auth.json").read_bytes()) == (own, False, login)
    with Store(here.home / "pool.db") as store:
        assert len(store.accounts()) == 2
    again = run("doctor", "--fix")
    assert (again.code, "Mended: nothing" in again.out) == (0, True)


def test_a_block_that_is_alive_is_left(ready: Machine, run: Run) -> None:
    """Something answers there, if nothing of ours: whether it is in the way is for a person to decide."""
    file = ready.client / ".env"
    with listening() as address:
        file.write_bytes(dotenv.bind(None, {"HTTPS_PROXY": address, "SSL_CERT_FILE": "/x", "NO_PROXY": ""}))
        before = file.read_bytes()
        ran = run("doctor", "--fix", "--json")
    assert (wrong(ran)["dotenv.block"], file.read_bytes()) == ("problem", before)


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_no_secret_is_ever_shown(ready: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of the pool and of the client, keys, passwords in addresses: for people and for programs, mending too."""
    private(ready.client / "auth.json", json.dumps({**ready.own.auth_json(), "OPENAI_API_KEY": f"sk-{PASSWORD}"}))
    key = f"key-{PASSWORD}"
    led = free().replace("://", f"://-:{key}@")
    block = dotenv.bind(
        f"HTTPS_PROXY=http://u:{PASSWORD}@127.0.0.1:1\nTOKEN={PASSWORD}\n".encode(),
        {"HTTPS_PROXY": led, "SSL_CERT_FILE": "/x", "NO_PROXY": ""},
    )
    (ready.client / ".env").write_bytes(block)
    private(ready.home / "client.key", key)
    monkeypatch.setenv("HTTPS_PROXY", led)
    monkeypatch.setenv("ALL_PROXY", f"socks5://u:{PASSWORD}@127.0.0.1:1")
    monkeypatch.setenv("CODEX_API_KEY", f"sk-{PASSWORD}")
    secrets = {*secrets_of([*ready.accounts, ready.own]), PASSWORD, key}
    with daemon(*ARGUMENTS, CODEX_HOME=str(ready.client), HTTPS_PROXY=led, SECRET=PASSWORD):
        for words in ([], ["--json"], ["--fix"], ["--fix", "--json"]):
            ran = run("doctor", *words)
            assert not [secret for secret in secrets if secret in ran.out + ran.err], words


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "No problem was found."),
        ({Severity.WARNING: 1}, "No problem was found. 1 warning can wait."),
        ({Severity.PROBLEM: 2, Severity.WARNING: 3}, "2 problems to mend. 3 warnings can wait."),
    ],
)
def test_the_last_line(counts: dict[Severity, int], said: str) -> None:
    assert summary(dict.fromkeys(Severity, 0) | counts) == said


def test_a_long_sentence_is_wrapped_under_itself(home: Path, tmp_path: Path) -> None:
    environ = {"CODEX_ROTATE_HOME": str(home), "CODEX_HOME": str(tmp_path), "PATH": ""}
    lines = doctor(environ, clock.now(), fix=False, width=40).message.splitlines()
    assert max(len(line) for line in lines if "/" not in line) <= 40
