"""The address the browser comes back to: loopback only, its own name only, and only the answer to this login counts."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest

from accounts.errors import LoginRefused, LoginTimedOut, PortsBusy
from cli.login.server import CallbackServer, page

STATE = "state-of-this-login"
PATIENCE = 10.0


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    with CallbackServer((0,), STATE) as running:
        yield running


def get(server: CallbackServer, path: str = "/auth/callback", **query: str) -> httpx.Response:
    url = f"http://127.0.0.1:{server.port}{path}"
    return httpx.get(f"{url}?{urlencode(query)}" if query else url, trust_env=False, timeout=PATIENCE)


def raw(server: CallbackServer, request: str) -> bytes:
    """What a client that does not keep to the rules is answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_code_comes_back(server: CallbackServer) -> None:
    """The browser gets a friendly page that stands on its own, and nothing of the query is in it."""
    assert server.redirect_uri == f"http://127.0.0.1:{server.port}/auth/callback"
    answer = get(server, code="the-code", state=STATE)
    assert server.wait(PATIENCE) == "the-code"
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Signed in" in answer.text
    for foreign in ("the-code", STATE, "http", "src=", "<script", "<link"):
        assert foreign not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "Python" not in answer.headers["server"]


def test_a_wrong_state_does_not_end_the_wait(server: CallbackServer) -> None:
    """It gets the failure page; the right one afterwards still counts."""
    for query in ({"code": "wrong", "state": "other"}, {"code": "wrong"}, {"error": "access_denied", "state": "x"}):
        refused = get(server, **query)
        assert (refused.status_code, "Not signed in" in refused.text) == (400, True)
        assert "wrong" not in refused.text
    with pytest.raises(LoginTimedOut):
        server.wait(0)
    assert get(server, code="right", state=STATE).status_code == 200
    assert server.wait(PATIENCE) == "right"


def test_the_first_valid_code_wins(server: CallbackServer) -> None:
    get(server, code="first", state=STATE)
    assert get(server, code="second", state=STATE).status_code == 409
    assert server.wait(PATIENCE) == "first"


def test_the_provider_may_say_no(server: CallbackServer) -> None:
    """That ends the wait; its text is shown to nobody."""
    answer = get(server, error="access_denied", error_description="<script>x</script>", state=STATE)
    assert (answer.status_code, "access_denied" in answer.text, "script" in answer.text) == (200, True, False)
    with pytest.raises(LoginRefused, match="access_denied"):
        server.wait(PATIENCE)


def test_a_wait_ends_when_the_answer_comes(server: CallbackServer) -> None:
    """Whoever waits already is woken."""
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(server.wait(PATIENCE)))
    waiting.start()
    get(server, code="the-code", state=STATE)
    waiting.join(PATIENCE)
    assert got == ["the-code"]


def test_nobody_came(server: CallbackServer) -> None:
    with pytest.raises(LoginTimedOut, match="Run `codex-rotate login` again"):
        server.wait(0.0)


@pytest.mark.parametrize("path", ["/", "/cancel", "/auth/callback/", "/auth/callbackx", "/favicon.ico", "/x"])
def test_there_is_nothing_else(server: CallbackServer, path: str) -> None:
    """Not even the official client's /cancel: nobody ends a login of ours."""
    assert get(server, path, code="c", state=STATE).status_code == 404
    with pytest.raises(LoginTimedOut):
        server.wait(0)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", b"200"),
        ("localhost:{port}", b"200"),
        ("127.0.0.1", b"403"),
        ("localhost:1", b"403"),
        ("evil.example:{port}", b"403"),
        ("127.0.0.1:{port}\r\nHost: evil.example", b"403"),
        ("127.0.0.1:{port}.evil.example", b"403"),
    ],
)
def test_only_under_its_own_name(server: CallbackServer, host: str, status: bytes) -> None:
    """A foreign name that leads to loopback is a trick."""
    name = host.format(port=server.port)
    said = raw(server, f"GET /auth/callback?code=c&state={STATE} HTTP/1.1\r\nHost: {name}\r\n\r\n")
    assert said.split()[1] == status


@pytest.mark.parametrize(
    "request_line",
    ["POST /auth/callback?code=sesame HTTP/1.1", "HEAD /auth/callback HTTP/1.1", "GET  HTTP/9.9 sesame", "sesame"],
)
def test_nothing_but_get(server: CallbackServer, request_line: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Refused without repeating what was asked, and without writing it down."""
    said = raw(server, f"{request_line}\r\nHost: 127.0.0.1:{server.port}\r\n\r\n")
    assert b"sesame" not in said
    assert b" 200 " not in said
    assert capfd.readouterr() == ("", "")


def test_nothing_is_written_down(server: CallbackServer, capfd: pytest.CaptureFixture[str]) -> None:
    get(server, code="the-code", state=STATE)
    get(server, "/x", code="the-code")
    server.wait(PATIENCE)
    assert capfd.readouterr() == ("", "")


def test_a_busy_port_is_left_alone() -> None:
    """The next one is taken; its holder is not asked for anything. None free: the error says what else there is."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        holder.setblocking(False)
        busy = holder.getsockname()[1]
        with CallbackServer((busy, 0), STATE) as server:
            assert server.port != busy
            get(server, code="c", state=STATE)
            with pytest.raises(PortsBusy, match="--device"):
                CallbackServer((busy, server.port), STATE)
        with pytest.raises(BlockingIOError):
            holder.accept()


def test_only_loopback_can_reach_it(server: CallbackServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_the_port_is_free_afterwards() -> None:
    with CallbackServer((0,), STATE) as server:
        port = server.port
        get(server, code="c", state=STATE)
    with CallbackServer((port,), STATE) as again:
        assert again.port == port


def test_everything_on_a_page_is_text() -> None:
    shown = page("<b>T</b>", "\"a\" & <script>alert('x')</script>")
    assert "<b>" not in shown
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
