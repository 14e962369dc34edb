"""Managed tokens reach the model and catalogue routes of chatgpt.com over TLS, and nothing else whatever is tried.

Every case here looks almost like a request the pool serves. It arrives unchanged as the client's own, or not at all.
"""

import socket
import ssl
from typing import Final

import httpx
import pytest

from standin import SeenRequest
from tests.harness import PATIENCE, secrets_of
from tests.proxy.clients import ASK, CHATGPT, MODELS, RESPONSES, Http2, http1, secure, tunnel
from tests.proxy.conftest import Bench

TROUBLES = False

EVIL: Final = "evil.example"
BLANK: Final = b"\r\n\r\n"


def no_managed_token(bench: Bench) -> bool:
    """Not in a header and not in a body of anything that arrived."""
    managed = secrets_of(bench.accounts)
    for seen in bench.seen():
        everything = repr(seen.headers) + seen.path + seen.body.decode("latin-1")
        assert not [token for token in managed if token in everything], (
            f"a managed token went to {seen.host}{seen.path}"
        )
    return True


def is_the_client_s_own(bench: Bench, seen: SeenRequest) -> bool:
    own = bench.headers()
    assert seen.authorization == own["authorization"]
    assert seen.header("chatgpt-account-id") == own["chatgpt-account-id"]
    return no_managed_token(bench)


def raw_request(bench: Bench, target: str, *, method: str = "POST", host: str = CHATGPT, **more: str) -> bytes:
    """A request as bytes, so that nobody tidies it up."""
    headers = {"host": host, **bench.headers(**more), "content-length": str(len(ASK)), "connection": "close"}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + BLANK + ASK


def exchange(sock: ssl.SSLSocket, request: bytes) -> bytes:
    """Send, and read until the other side is done."""
    sock.sendall(request)
    answer = b""
    try:
        while chunk := sock.recv(65536):
            answer += chunk
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return answer


def inside(bench: Bench, request: bytes, *, connect: str = CHATGPT, port: int = 443, sni: str = CHATGPT) -> bytes:
    """Send a request inside a tunnel to `connect`, trusting both the proxy and the stand-in, whatever the name."""
    trust = bench.proxy.trust(bench.upstream.ca_file)
    trust.check_hostname = False
    with secure(tunnel(bench.proxy, connect, port), trust, sni) as sock:
        return exchange(sock, request)


def test_the_control(bench: Bench):
    """The same means, used as the client does, are served by the pool."""
    assert inside(bench, raw_request(bench, RESPONSES)).startswith(b"HTTP/1.1 200")
    assert bench.served_by() == ["first"]


# --- other places ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [RESPONSES, MODELS])
def test_plain_http(bench: Bench, path: str):
    with httpx.Client(proxy=bench.proxy.url, trust_env=False, timeout=PATIENCE) as client:
        client.post(f"http://{CHATGPT}{path}", headers=bench.headers(), content=ASK)
        client.get(f"http://{CHATGPT}:443{path}", headers=bench.headers())
    seen = [one for one in bench.seen() if one.path == path]
    assert seen
    assert all(is_the_client_s_own(bench, one) for one in seen)


def test_https_asked_for_on_a_plain_connection(bench: Bench):
    """`POST https://chatgpt.com/...` to the proxy without CONNECT: the client's side is not encrypted."""
    target = f"https://{CHATGPT}{RESPONSES}"
    with socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE) as raw:
        raw.sendall(raw_request(bench, target))
        while raw.recv(65536):
            pass
    assert all(is_the_client_s_own(bench, seen) for seen in bench.seen())


@pytest.mark.parametrize(
    ("connect", "port", "sni", "host"),
    [
        pytest.param(EVIL, 443, EVIL, CHATGPT, id="host header only"),
        pytest.param(EVIL, 443, CHATGPT, CHATGPT, id="host header and SNI"),
        pytest.param(CHATGPT, 443, EVIL, CHATGPT, id="other SNI"),
        pytest.param(CHATGPT, 443, CHATGPT, EVIL, id="other host header"),
        pytest.param(CHATGPT, 443, CHATGPT, f"{CHATGPT}, {EVIL}", id="two hosts in one header"),
        pytest.param(CHATGPT, 443, CHATGPT, f"{CHATGPT}:8443", id="other port in the host header"),
        pytest.param(CHATGPT, 443, CHATGPT, f"user@{CHATGPT}", id="user in the host header"),
        pytest.param(f"{CHATGPT}.{EVIL}", 443, CHATGPT, CHATGPT, id="suffix"),
        pytest.param(f"{CHATGPT}.{EVIL}", 443, f"{CHATGPT}.{EVIL}", CHATGPT, id="suffix everywhere"),
        pytest.param(f"evil{CHATGPT}", 443, CHATGPT, CHATGPT, id="prefix"),
        pytest.param(f"a.b.{CHATGPT}", 443, CHATGPT, CHATGPT, id="two labels"),
        pytest.param(CHATGPT, 8443, CHATGPT, CHATGPT, id="other port"),
        pytest.param(f"ab.{CHATGPT}", 443, f"ab.{CHATGPT}", f"ab.{CHATGPT}", id="metrics host"),
        pytest.param("api.openai.com", 443, "api.openai.com", "api.openai.com", id="the api"),
        pytest.param("127.0.0.1", 443, CHATGPT, CHATGPT, id="address"),
    ],
)
def test_another_place(bench: Bench, connect: str, port: int, sni: str, host: str):
    inside(bench, raw_request(bench, RESPONSES, host=host), connect=connect, port=port, sni=sni)
    assert all(is_the_client_s_own(bench, seen) for seen in bench.seen())
    # chatgpt.com does not answer to another name: the proxy finds that out and sends nothing
    assert len(bench.seen()) == (0 if (connect, sni) == (CHATGPT, EVIL) else 1)


@pytest.mark.parametrize("authority", [EVIL, f"{CHATGPT}.{EVIL}", f"{CHATGPT}:8443", f"{EVIL}:443"])
def test_another_authority_on_http2(bench: Bench, authority: str):
    with Http2(bench.proxy) as client:
        client.turn({":authority": authority, **bench.headers()})
    assert all(is_the_client_s_own(bench, seen) for seen in bench.seen())


@pytest.mark.parametrize(("authority", "host"), [(CHATGPT, EVIL), (EVIL, CHATGPT)])
def test_a_second_host_on_http2(bench: Bench, authority: str, host: str):
    """`:authority` is right and a `host` header says otherwise, or the other way round."""
    with Http2(bench.proxy) as client:
        client.turn({":authority": authority, **bench.headers(), "host": host})
    for seen in bench.seen():
        served_here = {seen.host, seen.header("host") or CHATGPT} == {CHATGPT}
        assert served_here or is_the_client_s_own(bench, seen)


# --- other paths and methods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/backend-api/codex/../wham/accounts/check",
        "/backend-api/codex/responses/../../wham/usage",
        "/backend-api/wham/../codex/responses",
        "/backend-api/codex/./responses",
        "/backend-api/codex/%2e%2e/wham/usage",
        "/backend-api/codex%2Fresponses",
        "/backend-api/codex/respons%65s",
        "//backend-api/codex/responses",
        "/backend-api//codex/responses",
        "/backend-api/codex//responses",
        "/backend-api/codex/responses/",
        "/backend-api/codex/responses/x",
        "/backend-api/codex/responses;x=1",
        "/backend-api/codex/responses%3Fx",
        "/backend-api/codex/responses#x",
        "/backend-api/codex/responses%0d%0ax",
        "/backend-api/codex/images/../../wham/usage",
        "/backend-api/codex/memories/..",
        "/BACKEND-API/codex/responses",
        "/x/backend-api/codex/responses",
        "/backend-api/codex",
        "/backend-api/codex/",
        "/backend-api/codex/analytics-events/events",
        "/backend-api/wham/accounts/check",
        "/backend-api/wham/usage",
        "/backend-api/me",
        "/oauth/token",
        "/",
    ],
)
def test_another_path(bench: Bench, path: str):
    answer = inside(bench, raw_request(bench, path))
    assert answer
    (seen,) = bench.seen()
    assert seen.path == path
    assert is_the_client_s_own(bench, seen)


@pytest.mark.parametrize("target", [f"https://{EVIL}{RESPONSES}", f"http://{EVIL}{RESPONSES}", "*"])
def test_another_request_target_inside_the_tunnel(bench: Bench, target: str):
    """An absolute target inside the tunnel names a host of its own. It may be served, but only by chatgpt.com."""
    inside(bench, raw_request(bench, target, host=EVIL))
    assert all(is_the_client_s_own(bench, seen) for seen in bench.seen())


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", RESPONSES), ("PUT", RESPONSES), ("DELETE", RESPONSES), ("POST", MODELS), ("PUT", MODELS)],
)
def test_another_method(bench: Bench, method: str, path: str):
    inside(bench, raw_request(bench, path, method=method))
    assert all(is_the_client_s_own(bench, seen) for seen in bench.seen())
    assert len(bench.seen()) <= 1


# --- other senders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "", "Basic dXNlcjpwYXNz", "Bearer ", "sk-a-key-without-a-scheme"])
def test_a_request_without_a_login_gets_none(bench: Bench, authorization: str | None):
    """It could come from any program that inherited the proxy's address."""
    request = raw_request(bench, RESPONSES, authorization="@")
    line = b"" if authorization is None else f"authorization: {authorization}\r\n".encode()
    assert inside(bench, request.replace(b"authorization: @\r\n", line)).startswith(b"HTTP/1.1 401")
    (seen,) = bench.seen()
    assert (seen.authorization or "").strip() == (authorization or "").strip()
    assert no_managed_token(bench)


def test_an_api_key_stays_the_client_s_own(bench: Bench):
    with http1(bench.proxy) as client:
        client.post(RESPONSES, headers=bench.headers(authorization="Bearer sk-proj-a-key"), content=ASK)
    assert [seen.authorization for seen in bench.seen()] == ["Bearer sk-proj-a-key"]


@pytest.mark.parametrize("host", ["auth.openai.com", "api.openai.com", f"ab.{CHATGPT}"])
def test_other_hosts_are_tunnelled_untouched(bench: Bench, host: str):
    """The client sees that host's own certificate: the proxy has not looked in."""
    trust = ssl.create_default_context(cafile=str(bench.upstream.ca_file))
    with httpx.Client(proxy=bench.proxy.url, verify=trust, trust_env=False, timeout=PATIENCE) as client:
        client.post(f"https://{host}{RESPONSES}", headers=bench.headers(), content=ASK)
    (seen,) = bench.seen()
    assert seen.host == host
    assert is_the_client_s_own(bench, seen)


def test_the_proxy_s_certificate_is_not_shown_for_other_hosts(bench: Bench):
    refusal = pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED")
    with httpx.Client(proxy=bench.proxy.url, verify=bench.proxy.trust(), trust_env=False) as client, refusal:
        client.get("https://api.openai.com/v1/models", headers=bench.headers())
    assert bench.seen() == ()
