"""Who may not use the proxy is let in to be told so, and nothing of theirs gets any further. By attack."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from addons.exchange.answering import refusals
from tests.harness import PATIENCE, Proxy, options
from tests.proxy.clients import (
    ASK,
    CHATGPT,
    MODELS,
    RESPONSES,
    Got,
    Http2,
    Socket,
    http1,
    secure,
    tunnel,
    turn1,
    turn_ws,
)
from tests.proxy.conftest import Bench
from tests.users import OTHER, acting_as, why_not

ONE_HTTP = True

TROUBLES = False

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

OTHER_USER = "codex_rotate_other_user"


@pytest.fixture(autouse=True)
def nothing_leaves(bench: Bench) -> Iterator[None]:
    """Holds for every test here: no connection is made, and the pool is not asked for anybody."""
    before = len(bench.proxy.output.text())
    yield
    assert bench.seen() == ()
    assert "server connect " not in bench.proxy.output.text()[before:]
    assert not bench.decisions()
    with http1(bench.proxy) as client:  # the owner goes on as before, and what the proxy has said is complete
        assert turn1(client, bench.headers()).completed
    assert "server connect " in bench.proxy.output.text()[before:]


def raw(bench: Bench, *alpn: str) -> ssl.SSLSocket:
    """Another user's TLS connection to the provider, without a protocol on top."""
    return secure(tunnel(bench.proxy, CHATGPT, uid=OTHER), bench.proxy.trust(), CHATGPT, *alpn)


def read(wire: socket.socket, seconds: float = PATIENCE) -> bytes:
    """Everything until the proxy ends the connection, or is silent for so long."""
    wire.settimeout(seconds)
    said = b""
    with suppress(OSError):
        while piece := wire.recv(65536):
            said += piece
    return said


def request(bench: Bench, path: str, method: str = "POST", body: bytes = ASK, **more: str) -> bytes:
    """A request of HTTP/1.1 as it goes over the wire."""
    headers = {"host": CHATGPT, **bench.headers(), "content-length": str(len(body)), "connection": "close", **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def alone(bench: Bench, words: str) -> bytes:
    """What another user hears who says this to the proxy itself."""
    with acting_as(OTHER):
        wire = socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE)
    with wire:
        wire.sendall(words.encode())
        return read(wire, 0.5)


# --- the words -------------------------------------------------------------------------------------------------------


def test_over_http_the_refusal_has_words(bench: Bench) -> None:
    with raw(bench) as wire:
        wire.sendall(request(bench, RESPONSES))
        head, _, body = read(wire).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == OTHER_USER


def test_in_a_socket_the_refusal_has_words(bench: Bench) -> None:
    """The upgrade is accepted, since a refused one would lose them; then the socket ends."""
    with Socket(bench.proxy, bench.headers(), uid=OTHER) as client:
        assert client.upgrade.status == 101
        told = client.turn(generate=False)
        assert (told.messages[-1]["status"], told.error["type"]) == (400, OTHER_USER)
        assert client.ending() == 1000


def test_what_the_client_asks_first_has_an_answer(bench: Bench) -> None:
    """With its own id; else it would not come to ask for what is refused."""
    with Http2(bench.proxy, uid=OTHER) as client:
        found = client.answer(client.ask(bench.headers(), method="GET", path=refusals.ROUTING, body=b""))
        (entry,) = json.loads(found.body)["accounts"]
        assert (found.status, entry["id"]) == (200, bench.home.account_id)
        found = client.answer(client.ask(bench.headers(), method="GET", path=refusals.POLICY, body=b""))
        assert (found.status, found.body) == (200, b"{}")


# --- attacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", MODELS),
        ("GET", RESPONSES),
        ("PUT", RESPONSES),
        ("POST", "//backend-api/codex/responses"),
        ("POST", "/backend-api/codex/../codex/responses"),
        ("POST", "/backend-api/codex/%72esponses"),
        ("POST", "/backend-api/codex/responses;x"),
        ("POST", "/backend-api/codex/responses/compact"),
        ("POST", "/backend-api/codex/alpha/search"),
        ("POST", f"{refusals.ROUTING}"),
        ("GET", f"{refusals.ROUTING}/../../codex/models"),
        ("GET", "/backend-api/wham/usage"),
        ("OPTIONS", "*"),
        ("TRACE", "/"),
        ("POST", f"https://{CHATGPT}{RESPONSES}"),
        ("GET", f"http://{CHATGPT}/"),
        ("CONNECT", f"{CHATGPT}:443"),
        ("CONNECT", "example.test:443"),
    ],
)
@pytest.mark.parametrize("version", ["http1", "http2"])
def test_no_path_and_no_method_gets_through(bench: Bench, version: str, method: str, path: str) -> None:
    headers = bench.headers(x_forwarded_for="127.0.0.1", forwarded="for=127.0.0.1")
    if version == "http2":
        with Http2(bench.proxy, uid=OTHER) as client:
            seen = client.answer(client.ask(headers, method=method, path=path, body=b"" if method == "GET" else ASK))
            refused = seen.status >= 400 or seen.cut
        assert refused or method == "CONNECT"
        return
    with raw(bench) as wire:
        wire.sendall(request(bench, path, method, **headers))
        status = read(wire, 0.5 if method == "CONNECT" else PATIENCE).partition(b" ")[2][:3]
    assert status in {b"400", b"403", b"404", b"405", b"407", b""} or method == "CONNECT"


def test_requests_in_one_breath_are_refused_one_by_one(bench: Bench) -> None:
    """An answered question before the one that is not, and another one behind it."""
    with raw(bench) as wire:
        stay = {"connection": "keep-alive"}
        first = request(bench, refusals.ROUTING, "GET", b"", **stay) + request(bench, RESPONSES, **stay)
        wire.sendall(first + request(bench, MODELS, "GET", b"", **stay) + request(bench, RESPONSES))
        said = read(wire)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", said) == [b"200", b"400", b"403", b"400"]


def test_streams_beside_each_other_are_refused_all(bench: Bench) -> None:
    with Http2(bench.proxy, uid=OTHER) as client:
        asked = [client.ask(bench.headers(thread_id=f"t{n}")) for n in range(20)]
        asked += [client.ask(bench.headers() | {":authority": "example.test"})]
        assert {client.answer(each).status for each in asked} == {400}


@pytest.mark.parametrize(
    "hello",
    [
        b"SSH-2.0-x\r\n",
        b"\0\1\2\3",
        b"GET / HTTP/1.1\r\nhost: chatgpt.com\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["ssh", "bytes", "http", "http2"],
)
@pytest.mark.parametrize("encrypted", [True, False])
def test_what_is_no_request_gets_nowhere(bench: Bench, hello: bytes, encrypted: bool) -> None:
    """In the tunnel itself, and in its TLS."""
    wire = raw(bench) if encrypted else tunnel(bench.proxy, CHATGPT, uid=OTHER)
    with wire:
        wire.sendall(hello)
        assert b" 200 " not in read(wire, 0.5)


def test_another_name_inside_the_tunnel_is_refused_as_well(bench: Bench) -> None:
    with tunnel(bench.proxy, CHATGPT, uid=OTHER) as plain, suppress(OSError):
        blind = ssl.create_default_context()
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with blind.wrap_socket(plain, server_hostname="example.test") as wire:
            wire.sendall(request(bench, "/", "GET", b"", host="example.test"))
            assert read(wire).startswith(b"HTTP/1.1 403 ")


def test_a_tunnel_in_the_tunnel_leads_nowhere(bench: Bench) -> None:
    with raw(bench) as wire:
        wire.sendall(f"CONNECT {CHATGPT}:443 HTTP/1.1\r\nhost: {CHATGPT}:443\r\n\r\n".encode())
        wire.recv(4096)
        wire.sendall(request(bench, RESPONSES))
        said = read(wire)
    assert b" 200 " not in said


@pytest.mark.parametrize("host", ["example.test", "ab.chatgpt.com", "auth.openai.com", "chatgpt.com.example.test"])
def test_other_hosts_are_not_let_in_to(bench: Bench, host: str) -> None:
    said = alone(bench, f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 407 ")


@pytest.mark.parametrize("url", ["http://example.test/", "http://codex-rotate.invalid/", f"https://{CHATGPT}{MODELS}"])
def test_what_is_asked_of_the_proxy_itself_is_refused(bench: Bench, url: str) -> None:
    """Who asks what it is gets to know nothing: neither folder nor process."""
    said = alone(bench, f"GET {url} HTTP/1.1\r\nhost: x\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 407 ")
    assert str(bench.folder).encode() not in said


def test_what_is_sent_with_a_refused_request_is_not_kept(bench: Bench) -> None:
    """Whoever can reach the proxy could fill its memory."""
    size, piece = 128 << 20, b"x" * (1 << 20)
    before = memory(bench.proxy)
    with raw(bench) as wire:
        wire.sendall(request(bench, RESPONSES, body=b"", **{"content-length": str(size)}))
        for _ in range(size // len(piece)):
            wire.sendall(piece)
        assert read(wire).startswith(b"HTTP/1.1 400 ")
        assert memory(bench.proxy) - before < size / 4


def memory(proxy: Proxy) -> int:
    """Bytes that the proxy has now."""
    return int(Path(f"/proc/{proxy.process.pid}/statm").read_text().split()[1]) * 4096


@contextmanager
def relay(bench: Bench) -> Iterator[int]:
    """Another user's program that passes one connection on to the proxy, as socat does: its port."""

    def carry(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                to.sendall(piece)
            to.shutdown(socket.SHUT_WR)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as client:
                with acting_as(OTHER):
                    onward = socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE)
                with onward:
                    back = threading.Thread(target=carry, args=(onward, client), daemon=True)
                    back.start()
                    carry(client, onward)
                    back.join(PATIENCE)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(PATIENCE)


def test_behind_a_relay_everybody_is_the_relay_s_user(bench: Bench) -> None:
    with relay(bench) as port:
        led = httpx.Proxy(f"http://127.0.0.1:{port}")
        with httpx.Client(proxy=led, verify=bench.proxy.trust(), timeout=PATIENCE, trust_env=False) as client:
            answer = client.post(f"https://{CHATGPT}{RESPONSES}", headers=bench.headers(), content=ASK)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, OTHER_USER)


def test_a_connection_stays_the_user_s_who_opened_it(bench: Bench) -> None:
    """One that another user opened, and the owner goes on with."""
    wire = tunnel(bench.proxy, CHATGPT, uid=OTHER)
    with secure(wire, bench.proxy.trust(), CHATGPT) as inside:
        inside.sendall(request(bench, RESPONSES))
        assert read(inside).startswith(b"HTTP/1.1 400 ")


def test_a_key_that_nobody_has_made_opens_nothing(bench: Bench) -> None:
    """Said with the CONNECT, and again with a request."""
    with secure(tunnel(bench.proxy, CHATGPT, says="-:guess", uid=OTHER), bench.proxy.trust(), CHATGPT) as wire:
        said_again = {"proxy-authorization": "Basic LTpndWVzcw=="}
        for stay in ("keep-alive", "keep-alive", "close"):
            wire.sendall(request(bench, RESPONSES, connection=stay, **said_again))
        said = read(wire)
    assert said.count(b"codex_rotate_key_unknown") == 2 * 3
    assert said.count(b"HTTP/1.1 400 ") == 3


# --- opened to all ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take_turn", [pytest.param(turn_ws, id="ws"), pytest.param(None, id="http2")])
def test_everyone_here_may_where_the_owner_says_so(
    bench: Bench, confdir: Path, take_turn: Callable[..., Got] | None
) -> None:
    """Another proxy of the same pool."""
    flags = options(rotate_everyone_here=True)
    began = len(bench.upstream.requests)
    with Proxy(bench.upstream, bench.folder / "rotate", confdir, flags) as proxy:
        proxy.output.wait_for(r"accounts from", seconds=20)
        if take_turn is not None:
            with Socket(proxy, bench.headers(), uid=OTHER) as client:
                assert client.turn().completed
        else:
            with Http2(proxy, uid=OTHER) as wire:
                assert wire.turn(bench.headers()).completed
    bench.begin()  # what it sent is not what this module's proxy has sent
    assert bench.began > began
    bench.thread += "-after"
