"""The built-in client sends what the official one sends over HTTP, and says what it was told."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from certs import debug_ca
from cli.demo import client as demo_client
from cli.demo import scene
from cli.running.processes import Background, run
from config import clock
from standin import Fault, FaultKind, StandIn
from standin.redirect import PORT
from tests.harness import MITMDUMP, ROOT, plain_environment

pytestmark = pytest.mark.usefixtures("warm_starts")
type Ask = Callable[[str, Path, Mapping[str, object], str], demo_client.Finished]


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def ask(upstream: StandIn, folder: Path, client: Ask = demo_client.ask) -> demo_client.Finished:
    """One turn through a proxy that does nothing but lead to the stand-in."""
    home = upstream.add_account("home", user_id="user-home").auth_json()
    (folder / "auth.json").write_text(json.dumps(home))
    debug_ca.ensure(folder, clock.now())  # mitmproxy makes one in longer than all the rest takes
    script = ROOT / "standin" / "redirect.py"
    settings = ("listen_host=127.0.0.1", "listen_port=0", f"confdir={folder}", "upstream_cert=false")
    argv = [str(MITMDUMP), "-s", str(script), *(w for s in settings for w in ("--set", s))]
    argv += ["--set", f"ssl_verify_upstream_trusted_ca={upstream.ca_file}"]
    with Background(argv, {**os.environ, PORT: str(upstream.port)}) as proxy:
        (line,) = proxy.wait_for(("listening at",))
        port = line.rpartition(":")[2].strip(" .\n")
        return client(f"http://127.0.0.1:{port}", folder / "mitmproxy-ca-cert.pem", home, "hi")


def test_it_sends_a_zstd_body_with_the_threads_headers_and_reads_the_events(upstream: StandIn, tmp_path: Path) -> None:
    finished = ask(upstream, tmp_path)
    assert (finished.code, finished.out) == (0, "Hello from home.")
    (seen,) = upstream.requests_to(scene.GENERATION)
    assert seen.header("content-encoding") == "zstd"
    assert seen.header("thread-id") == seen.json()["prompt_cache_key"]


def test_a_refusal_is_exit_code_1_with_upstreams_words(upstream: StandIn, tmp_path: Path) -> None:
    upstream.fault("*", Fault(FaultKind.USAGE_LIMIT, resets_in=60))
    finished = ask(upstream, tmp_path)
    assert finished.code == 1
    assert json.loads(finished.err)["error"]["type"] == "usage_limit_reached"


def test_over_a_socket_the_credentials_are_in_the_upgrade_and_the_body_in_a_message(
    upstream: StandIn, tmp_path: Path
) -> None:
    finished = ask(upstream, tmp_path, demo_client.ask_by_socket)
    assert (finished.code, finished.out) == (0, "Hello from home.")
    (seen,) = upstream.requests_to(scene.GENERATION)
    (message,) = seen.messages
    assert (seen.status, seen.account_id) == (101, "home")
    assert message["type"] == "response.create"
    assert seen.header("thread-id") == message["prompt_cache_key"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(FaultKind.USAGE_LIMIT, resets_in=60), "429"),
        (Fault(FaultKind.USAGE_LIMIT, resets_in=60, after_output=True), "usage_limit_reached"),
    ],
)
def test_a_socket_that_is_refused_before_or_after_it_opens_is_exit_code_1(
    upstream: StandIn, tmp_path: Path, fault: Fault, said: str
) -> None:
    upstream.fault("*", fault)
    finished = ask(upstream, tmp_path, demo_client.ask_by_socket)
    assert finished.code == 1
    assert said in finished.err


def as_a_program(proxy: str, ca_file: Path, _auth: Mapping[str, object], prompt: str) -> demo_client.Finished:
    """`python -m cli.demo.client`, with its login where the official client keeps it."""
    env = {**plain_environment(), "HTTPS_PROXY": proxy, "CODEX_CA_CERTIFICATE": str(ca_file)}
    command = [sys.executable, "-m", "cli.demo.client", prompt]
    return run(command, env | {"CODEX_HOME": str(ca_file.parent)}, ROOT, 60)


def test_as_a_program_it_takes_everything_from_the_environment(upstream: StandIn, tmp_path: Path) -> None:
    """Like the official client under `run`."""
    assert ask(upstream, tmp_path, as_a_program) == demo_client.Finished(0, "Hello from home.\n", "")


def test_as_a_program_it_shows_a_refusal(upstream: StandIn, tmp_path: Path) -> None:
    upstream.fault("*", Fault(FaultKind.USAGE_LIMIT, resets_in=60))
    limited = ask(upstream, tmp_path, as_a_program)
    assert limited.code == 1
    assert "usage_limit_reached" in limited.out


def test_as_a_program_that_nobody_leads_it_says_how_to_start_it() -> None:
    command = [sys.executable, "-m", "cli.demo.client", "hi"]
    alone = run(command, plain_environment(), ROOT, 60)
    assert alone.code == 1
    assert "codex-rotate run -- python -m cli.demo.client" in alone.err
