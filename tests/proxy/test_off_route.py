"""A request that another addon or an option takes off its route is not sent with an account's token, nor otherwise."""

from contextlib import suppress

import pytest

from tests.proxy.clients import ASK, CHATGPT, RESPONSES, Http2, Socket, http1, secure, tunnel, turn1
from tests.proxy.conftest import Bench

TROUBLES = False

FLAGS = [
    part
    for rule in (
        "|~hq x-take..host|chatgpt.com/|chatgpt.com.example.test/",
        "|~hq x-take..path|codex/responses|me",
    )
    for part in ("--map-remote", rule)
]
METHODS = ["post", "Post", "pOST"]


@pytest.mark.parametrize("taken", ["host", "path"])
@pytest.mark.parametrize("version", ["http1", "http2", "ws"])
def test_what_has_left_its_route_is_not_sent(bench: Bench, version: str, taken: str) -> None:
    headers = bench.headers(x_take=taken)
    if version == "ws":
        with Socket(bench.proxy, headers) as client:
            assert client.upgrade.status == 503
    elif version == "http2":
        with Http2(bench.proxy) as wire:
            assert wire.turn(headers).status == 503
    else:
        with http1(bench.proxy) as plain:
            answer = turn1(plain, headers)
            assert (answer.status, answer.error["type"]) == (503, "codex_rotate_off_route")
    assert bench.seen() == ()
    bench.proxy.output.wait_for("has changed its host, path or method", seconds=5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("version", ["http1", "http2"])
def test_a_method_in_odd_case_is_the_clients_own(bench: Bench, version: str, method: str) -> None:
    """It goes on as it was written, with the client's login and no other."""
    if version == "http2":
        with Http2(bench.proxy) as wire:
            wire.answer(wire.ask(bench.headers(), method=method))
    else:
        head = {"host": CHATGPT, **bench.headers(), "content-length": str(len(ASK)), "connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        with secure(tunnel(bench.proxy, CHATGPT), bench.proxy.trust(), CHATGPT) as raw:
            raw.sendall(f"{method} {RESPONSES} HTTP/1.1\r\n{lines}\r\n".encode() + ASK)
            with suppress(OSError):
                while raw.recv(65536):
                    pass
    assert set(bench.served_by()) <= {"own"}
