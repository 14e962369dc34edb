"""The built-in client sends what the official one sends over HTTP, and says what it was told."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import demo_client, demo_scene
from cli.processes import Background
from standin import Fault, FaultKind, StandIn
from standin.redirect import PORT


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def ask(upstream: StandIn, folder: Path) -> demo_client.Finished:
    """One turn through a proxy that does nothing but lead to the stand-in."""
    home = upstream.add_account("home", user_id="user-home").auth_json()
    start = "import sys; from mitmproxy.tools.main import mitmdump; sys.exit(mitmdump())"
    script = demo_scene.ROOT / "standin" / "redirect.py"
    settings = ("listen_host=127.0.0.1", "listen_port=0", f"confdir={folder}", "upstream_cert=false")
    argv = [sys.executable, "-c", start, "-s", str(script), *(w for s in settings for w in ("--set", s))]
    argv += ["--set", f"ssl_verify_upstream_trusted_ca={upstream.ca_file}"]
    with Background(argv, {**os.environ, PORT: str(upstream.port)}) as proxy:
        (line,) = proxy.wait_for(("listening at",))
        port = line.rpartition(":")[2].strip(" .\n")
        return demo_client.ask(f"http://127.0.0.1:{port}", folder / "mitmproxy-ca-cert.pem", home, "hi")


def test_it_sends_a_zstd_body_with_the_threads_headers_and_reads_the_events(upstream: StandIn, tmp_path: Path) -> None:
    finished = ask(upstream, tmp_path)
    assert (finished.code, finished.out) == (0, "Hello from home.")
    (seen,) = upstream.requests_to(demo_scene.GENERATION)
    assert seen.header("content-encoding") == "zstd"
    assert seen.header("thread-id") == seen.json()["prompt_cache_key"]


def test_a_refusal_is_exit_code_1_with_upstreams_words(upstream: StandIn, tmp_path: Path) -> None:
    upstream.fault("*", Fault(FaultKind.USAGE_LIMIT, resets_in=60))
    finished = ask(upstream, tmp_path)
    assert finished.code == 1
    assert json.loads(finished.err)["error"]["type"] == "usage_limit_reached"
