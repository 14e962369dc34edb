"""`serve` runs the real proxy in our place: for this machine only, and as long as it is wanted."""

import json
import os
import pty
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from accounts.errors import UsageError
from addons.draining import SAME_SECONDS
from addons.startup import FORCED
from certs import ca
from certs.bundles import certificates
from cli.commands.use.serve import LISTEN, TAKEN, OptionTaken, debug_authority, own_authority, parse_listen, shown_by
from cli.running import processes
from config import clock, paths, proxy_files
from standin import Fault, FaultKind, StandIn
from tests.cli.conftest import Fill, Run
from tests.harness import AGAIN, MITMDUMP, PATIENCE, ROOT, Output, eventually, plain_environment
from tests.harness import fill as fill_pool
from tests.proxy.clients import Http2, turn1
from tests.users import OTHER, acting_as, why_not

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
pytestmark = pytest.mark.usefixtures("warm_starts")


@pytest.fixture
def now() -> float:
    return clock.now()


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1:8118", ("127.0.0.1", 8118)),
        ("127.9.9.9:1", ("127.9.9.9", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8118", ("::1", 8118)),
    ],
)
def test_addresses_of_this_machine(listen: str, found: tuple[str, int]) -> None:
    assert parse_listen(listen) == found


@pytest.mark.parametrize(
    "listen", ["8118", ":8118", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "a:65536", "a:²"]
)
def test_what_is_no_address_is_wrong_usage(listen: str) -> None:
    with pytest.raises(UsageError, match=r"such as 127\.0\.0\.1:8118"):
        parse_listen(listen)


@pytest.mark.parametrize("listen", ["9000", ":9000"])
def test_a_port_alone_is_answered_with_an_address(listen: str) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 127\.0\.0\.1:9000\?"):
        parse_listen(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:8118", "[::]:8118", "192.168.1.5:8118", "example.com:8118"])
def test_an_address_that_others_can_reach_is_refused(listen: str) -> None:
    """Whoever reaches the proxy uses the accounts."""
    with pytest.raises(UsageError, match="others"):
        parse_listen(listen)


def test_an_empty_pool_is_no_reason_to_start(run: Run) -> None:
    ran = run("serve")
    assert ran.code == 3
    assert "codex-rotate login" in ran.err


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    ours = {"HOME": str(home.parent), "CODEX_ROTATE_HOME": str(home), "CODEX_HOME": str(home.parent)}
    return {**plain_environment(), "PYTHONUNBUFFERED": "1", **ours}


@contextmanager
def serving(
    home: Path, *flags: str, upstream: StandIn | None = None
) -> Iterator[tuple[subprocess.Popen[str], Output, int]]:
    """The console script as a process of its own; ended by pid."""
    port = free_port()
    env = environment(home)
    if upstream is not None:
        env["STANDIN_PORT"] = str(upstream.port)
    process = subprocess.Popen(
        [ROTATE, "serve", "--listen", f"127.0.0.1:{port}", *flags],
        env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    output = Output(process.stderr if "--json" in flags else process.stdout)
    try:
        output.wait_for(f"codex-rotate is listening at http://127.0.0.1:{port}", seconds=30)
        yield process, output, port
    finally:
        for end in (process.terminate, process.terminate, process.kill):  # killed, it would leave its proxy behind
            with suppress(subprocess.TimeoutExpired):
                process.wait(AGAIN)
            if process.poll() is None:
                end()
        process.wait(10)
        output.close()
        process.stdout.close()
        process.stderr.close()


@contextmanager
def through(port: int, host: str, trust: Path) -> Iterator[ssl.SSLSocket]:
    """A client's connection through the proxy, with nothing trusted but that file."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as raw:
        raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
        with ssl.create_default_context(cafile=str(trust)).wrap_socket(raw, server_hostname=host) as secure:
            yield secure


def ask(port: int, trust: Path) -> str:
    """A turn: what the model said, or all that came instead."""
    address, context = f"http://127.0.0.1:{port}", ssl.create_default_context(cafile=str(trust))
    with httpx.Client(proxy=address, verify=context, trust_env=False, base_url="https://chatgpt.com") as client:
        seen = turn1(client, {"authorization": "Bearer of-the-client", "content-type": "application/json"})
    return seen.text or seen.body.decode()


LEADS_TO_STANDIN = """
import asyncio, os

_open = asyncio.open_connection

def open_connection(host, port, **options):
    return _open("127.0.0.1", int(os.environ["STANDIN_PORT"]), **options)

asyncio.open_connection = open_connection
"""
"""For the interpreter's own start: what a hosts file would do, were the stand-in at port 443."""


@pytest.fixture
def upstream(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, to which every `serve` of the test goes, and whose certificate it knows; and a pool for it."""
    start = tmp_path / "start"
    start.mkdir()
    (start / "sitecustomize.py").write_text(LEADS_TO_STANDIN)
    with StandIn() as upstream:
        monkeypatch.setenv("PYTHONPATH", str(start))
        fill_pool(home, [upstream.add_account("acc-1")], tmp_path)
        for confdir in (paths.ca_folder(), paths.debug_ca_folder()):
            paths.make_private_folder(confdir)
            (confdir / "config.yaml").write_text(json.dumps({"ssl_verify_upstream_trusted_ca": str(upstream.ca_file)}))
        yield upstream


def stopped(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End it as a person or a service manager does; what it said on stderr."""
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_with_its_own_certificate_until_it_is_told_to_stop(fill: Fill, home: Path, number: int) -> None:
    fill("ann")
    with serving(home) as (process, output, port):
        for name in ("mitmproxy-ca-cert.pem", "trusted.pem"):
            with through(port, "chatgpt.com", home / "ca" / name) as secure:
                assert secure.version() == "TLSv1.3"
        assert stopped(process, number) == ""
        assert "The proxy has stopped" in output.text()


@contextmanager
def turn_in_the_middle(upstream: StandIn, port: int, trust: Path) -> Iterator[tuple[Http2, int]]:
    """Its first words are there, and upstream waits to be told to go on."""
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    with Http2(Led(port, trust)) as client:  # type: ignore[arg-type]
        asked = client.ask({"authorization": "Bearer of-the-client", "content-type": "application/json"})
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        yield client, asked


@dataclass(frozen=True)
class Led:
    """What a client has to know of a proxy."""

    port: int
    file: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.file))


def test_a_turn_is_finished_before_it_stops_and_a_second_signal_stops_it_at_once(upstream: StandIn, home: Path) -> None:
    """`serve` passes both on, and what it says of the turn is on the screen."""
    with serving(home, upstream=upstream) as (process, output, port):
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGTERM)
            output.wait_for("waiting for 1 turn to end; stop once more to end at once")
            upstream.release()
            assert client.answer(asked).completed
        assert process.wait(20) == 0
        assert "The proxy has stopped" in output.text()
    with serving(home, upstream=upstream) as (process, output, port):
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGINT)
            output.wait_for("waiting for 1 turn to end")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2 * SAME_SECONDS)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert client.answer(asked).cut
        assert "told to stop once more: 1 turn was cut off" in output.text()


def test_when_only_its_parent_is_hung_up_the_proxy_ends_all_the_same(upstream: StandIn, home: Path) -> None:
    with serving(home, upstream=upstream) as (process, output, port):
        proxy = announced(home)
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGHUP)
            output.wait_for("waiting for 1 turn")
            upstream.release()
            assert client.answer(asked).completed
        assert process.wait(20) == 0
        assert eventually(lambda: not proxy_files.announced(home / "proxies"))
        with pytest.raises(ProcessLookupError):
            os.kill(proxy.pid, 0)


def test_when_its_terminal_is_closed_the_turn_is_finished_and_nothing_stays(upstream: StandIn, home: Path) -> None:
    """The terminal hangs up on both of them, and what they print goes nowhere."""
    controller, terminal = pty.openpty()
    lead = "import fcntl, termios, os, sys; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", lead, ROTATE, "serve", "--listen", f"127.0.0.1:{port}"],
        env=environment(home) | {"STANDIN_PORT": str(upstream.port)}, cwd=ROOT,
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    screen = Screen(controller)
    try:
        proxy = announced(home)
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            screen.close()
            assert eventually(lambda: [each.turns for each in proxy_files.announced(home / "proxies")] == [1])
            upstream.release()
            assert client.answer(asked).completed
        process.wait(20)
        assert proxy_files.announced(home / "proxies") == []
        with pytest.raises(ProcessLookupError):
            os.kill(proxy.pid, 0)
    finally:
        upstream.release()
        process.kill()
        process.wait(10)


class Screen:
    """A terminal that is looked at until it is closed. Whoever still reads from it keeps it open."""

    def __init__(self, controller: int) -> None:
        self.controller = controller
        self.over = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        while not self.over.is_set():
            if select.select([self.controller], [], [], 0.05)[0]:
                os.read(self.controller, 65536)

    def close(self) -> None:
        self.over.set()
        self.reader.join()
        os.close(self.controller)


def announced(home: Path) -> proxy_files.ProxyInfo:
    """The proxy that has left its file there."""
    assert eventually(lambda: proxy_files.announced(home / "proxies"), 30)
    return proxy_files.announced(home / "proxies")[0]


def test_two_on_one_pool_serve_side_by_side(upstream: StandIn, home: Path) -> None:
    """At two ports, with one CA and one account; both stop cleanly, and the end of one is no matter to the other."""
    trust = home / "ca" / "trusted.pem"
    with (
        serving(home, upstream=upstream) as (first, one, port),
        serving(home, upstream=upstream) as (second, two, other),
    ):
        assert [ask(each, trust) for each in (port, other, port)] == ["Hello from acc-1."] * 3
        assert stopped(first) == ""
        assert ask(other, trust) == "Hello from acc-1."
        assert stopped(second, signal.SIGINT) == ""
        assert ["The proxy has stopped" in each.text() for each in (one, two)] == [True, True]
    asked = upstream.requests_to("/backend-api/codex/responses")
    assert [seen.account_id for seen in asked] == ["acc-1"] * 4


def test_with_json_stdout_holds_one_value(fill: Fill, home: Path) -> None:
    fill("ann")
    with serving(home, "--json") as (process, _, port):
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(20) == 0
    assert re.fullmatch(r"\{.*\}\n", said, re.DOTALL)
    assert f'"http://127.0.0.1:{port}"' in said


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize(("flags", "status"), [((), 407), (("--everyone-here",), 200)])
def test_other_users_of_this_machine_are_served_if_the_owner_says_so(
    fill: Fill, home: Path, flags: tuple[str, ...], status: int
) -> None:
    fill("ann")
    with serving(home, *flags) as (process, _, port):
        with acting_as(OTHER):
            raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with raw:
            raw.sendall(b"GET http://codex-rotate.invalid/ HTTP/1.1\r\nhost: codex-rotate.invalid\r\n\r\n")
            said = raw.recv(4096)
        assert stopped(process) == ""
        assert said.startswith(f"HTTP/1.1 {status} ".encode())


# --- its start -------------------------------------------------------------------------------------------------------


def test_a_key_that_was_open_is_told_before_it_serves(now: float) -> None:
    """A person is to hear of it now, not when the proxy ends."""
    ca.create(paths.ca_folder(), now)
    (paths.ca_folder() / ca.KEY_FILE).chmod(0o644)
    authority = own_authority(LISTEN, now)
    assert authority.certificate == paths.ca_folder() / "trusted.pem"
    assert [("0644" in line, "ca renew --leaked" in line) for line in authority.told] == [(True, True)]
    assert own_authority(LISTEN, now).told == ()


def test_a_renewal_is_told_and_bound_clients_follow_it(now: float) -> None:
    """The file that a `.env` names holds both from the moment the new one is used."""
    old = ca.create(paths.ca_folder(), now).certificate
    root = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (paths.ca_folder() / "bundle.pem").write_bytes(root)
    authority = own_authority(LISTEN, now + 340 * 86_400)
    (told,) = authority.told
    assert "Restart clients that run already" in told
    assert ca.common_name(old) not in told
    assert (paths.ca_folder() / "bundle.pem").read_bytes() == root + authority.certificate.read_bytes()
    assert len(certificates(authority.certificate.read_bytes())) == 2


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_by_default_a_turn_is_a_line_and_nothing_else_is(upstream: StandIn, home: Path) -> None:
    """Where it is, how it is used, one line for a turn, and its end; no colours in what is no terminal."""
    with serving(home, upstream=upstream) as (process, output, port):
        assert ask(port, home / "ca" / "trusted.pem") == "Hello from acc-1."
        stopped(process)
    ready, use, turn, end = output.text().splitlines()
    assert ready[8:] == f" codex-rotate is listening at http://127.0.0.1:{port} with 1 account."
    assert "codex-rotate run codex" in use
    assert re.fullmatch(r"\d\d:\d\d:\d\d python-httpx  \S+.*  ok  \d+\.\d s  20 in \(10 cached\) 3 out", turn)
    assert end.startswith("The proxy has stopped.")
    assert "\x1b" not in output.text()


def test_a_client_that_leaves_or_does_not_trust_it_is_no_alarm(upstream: StandIn, home: Path) -> None:
    """One that does not trust it is told to, once."""
    with serving(home, upstream=upstream) as (process, output, port):
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError), through(port, "chatgpt.com", upstream.ca_file):
                pass
            with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as raw:
                raw.sendall(b"CONNECT chatgpt.com:443 HTTP/1.1\r\nhost: chatgpt.com:443\r\n\r\n")
                assert raw.recv(4096)
        output.wait_for("does not trust this proxy")
        stopped(process)
    _, _, told, _ = output.text().splitlines()
    assert "warning: codex-rotate: a client does not trust this proxy for chatgpt.com" in told
    assert "codex-rotate run codex" in told


def test_verbose_is_all_that_mitmproxy_says_too(upstream: StandIn, home: Path) -> None:
    with serving(home, "--verbose", upstream=upstream) as (process, output, port):
        ask(port, home / "ca" / "trusted.pem")
        stopped(process)
    for words in ("client connect", "POST https://chatgpt.com/backend-api/codex/responses", "python-httpx  "):
        assert words in output.text()


def test_flows_are_saved_and_options_are_set(upstream: StandIn, home: Path, tmp_path: Path) -> None:
    """For the owner alone: prompts and code are in there."""
    file = tmp_path / "saved.flow"
    with serving(home, "-w", str(file), "--set", "rotate_head_timeout=7", upstream=upstream) as (process, _, port):
        ask(port, home / "ca" / "trusted.pem")
        stopped(process)
    assert b"/backend-api/codex/responses" in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_an_option_that_it_sets_itself_is_refused(name: str) -> None:
    with pytest.raises(OptionTaken, match=f"--set {name}: `serve` sets this option itself"):
        shown_by([f"{name}=1"])


def test_what_mitmproxy_must_be_set_to_is_among_them() -> None:
    assert FORCED.keys() < TAKEN


@pytest.mark.parametrize("setting", ["", "=", "=1", "rotate_transport", "a b=1"])
def test_what_is_no_option_is_wrong_usage(setting: str) -> None:
    with pytest.raises(UsageError, match="such as"):
        shown_by([setting])


@pytest.mark.parametrize(
    ("settings", "more", "look", "flags"),
    [
        ([], {}, "turns", ["flow_detail=0"]),
        ([], {"verbose": True}, "more", ["termlog_verbosity=debug"]),
        ([], {"web": True}, "turns", []),
        (["flow_detail=2"], {}, "turns", ["flow_detail=2"]),
        (["termlog_verbosity=debug"], {}, "", ["flow_detail=0", "termlog_verbosity=debug"]),
    ],
)
def test_what_is_shown_follows_what_was_asked_for(
    settings: list[str], more: dict[str, bool], look: str, flags: list[str]
) -> None:
    """mitmproxy takes no option twice."""
    shown = shown_by(settings, **more)
    assert (shown.look, list(shown.flags[1::2])) == (look, flags)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rotate_trnsport=sse", "Unknown option(s): rotate_trnsport"),
        ("flow_detail=loud", "Failed to parse option flow_detail"),
        ("rotate_transport=pigeon", "rotate_transport"),
    ],
)
def test_an_option_that_nobody_has_is_said_in_mitmproxy_s_words(
    fill: Fill, home: Path, setting: str, words: str
) -> None:
    fill("ann")
    env = {**plain_environment(), "HOME": str(home.parent), "CODEX_ROTATE_HOME": str(home)}
    command = [str(MITMDUMP.with_name("codex-rotate")), "serve", "--listen", f"127.0.0.1:{free_port()}"]
    done = processes.run([*command, "--set", setting], env, ROOT, 60)
    assert done.code == 1
    assert words in done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert "its last lines say why" in done.out + done.err


# --- debugging -------------------------------------------------------------------------------------------------------


def test_all_hosts_are_opened_with_a_ca_of_its_own(upstream: StandIn, home: Path, run: Run) -> None:
    """It says what that means and what to set; the constrained CA is not even made."""
    with serving(home, "--intercept-all", upstream=upstream) as (process, _, port):
        debug = Path(run("env", "--intercept-all", "--json").json["CODEX_CA_CERTIFICATE"])
        for host in ("example.com", "chatgpt.com"):
            with through(port, host, debug) as secure:
                assert secure.version() == "TLSv1.3"
        assert ask(port, debug) == "Hello from acc-1."
        said = stopped(process)
    assert "can read every TLS connection" in said
    assert f'eval "$(codex-rotate env --intercept-all --proxy http://127.0.0.1:{port})"' in said
    assert "codex-rotate DEBUG CA (any host)" in said
    assert not (home / "ca" / ca.KEY_FILE).exists()


def test_with_all_hosts_open_managed_credentials_go_where_they_always_go(upstream: StandIn, home: Path) -> None:
    """The same request to another host is the client's own, from its first byte to its last."""
    own = {"authorization": "Bearer of-the-client", "content-type": "application/json"}
    with serving(home, "--intercept-all", upstream=upstream) as (process, _, port):
        trust = ssl.create_default_context(cafile=str(paths.debug_ca_folder() / ca.CERTIFICATE_FILE))
        proxy, base = f"http://127.0.0.1:{port}", "https://api.openai.com"
        with httpx.Client(proxy=proxy, verify=trust, trust_env=False, base_url=base) as client:
            turn1(client, own)
        stopped(process)
    (seen,) = upstream.requests_to("/backend-api/codex/responses")
    assert seen.authorization == "Bearer of-the-client"


def test_whoever_trusts_the_other_ca_does_not_believe_it(fill: Fill, home: Path, now: float) -> None:
    """A client that was not told to take part is not listened to, whichever host it wants."""
    fill("ann")
    trusted = ca.create(home / "ca", now).trusted_file
    with serving(home, "--intercept-all") as (process, _, port):
        for host in ("example.com", "chatgpt.com"):
            with pytest.raises(ssl.SSLCertVerificationError), through(port, host, trusted):
                pass
        stopped(process)


def test_at_the_usual_address_no_address_has_to_be_given(now: float) -> None:
    authority = debug_authority(LISTEN, now)
    assert any('eval "$(codex-rotate env --intercept-all)"' in line for line in authority.told)


# --- its end ---------------------------------------------------------------------------------------------------------


def test_at_its_end_whoever_is_bound_to_it_is_told(fill: Fill, home: Path, run: Run) -> None:
    """Once, on stderr; the block is the user's to keep."""
    fill("ann")
    with serving(home) as (process, _, port):
        assert run("bind", "--proxy", f"http://127.0.0.1:{port}").code == 0
        block = (home.parent / ".env").read_bytes()
        said = stopped(process)
    assert said.count("\n") == 1
    assert str(home.parent / ".env") in said
    assert "codex-rotate unbind" in said
    assert (home.parent / ".env").read_bytes() == block


def test_a_block_that_leads_elsewhere_is_no_concern_of_it(fill: Fill, home: Path, run: Run) -> None:
    fill("ann")
    with serving(home) as (process, _, _):
        assert run("bind", "--proxy", f"http://127.0.0.1:{free_port()}", "--force").code == 0
        assert stopped(process) == ""


def test_a_proxy_that_ends_by_itself_is_a_failure(
    fill: Fill, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that cannot be used: the proxy says which, and the exit code says that it failed."""
    fill("ann")
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "roulette")
    ran = run("serve", "--listen", f"127.0.0.1:{free_port()}")
    assert ran.code == 1
    assert "ended with exit code" in ran.out + ran.err
    assert os.environ["CODEX_ROTATE_HOME"] == str(home)
