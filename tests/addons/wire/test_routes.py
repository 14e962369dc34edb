"""Which requests may carry a managed credential: these, as they stand, and nothing that only resembles them."""

import re
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accounts.origin import PROVIDER_HOST
from addons.wire.routes import INTERCEPT, ROUTES, Route, Target, route_of
from tests.rows import all_rows

GOOD = Target(
    scheme="https",
    connected=("chatgpt.com", 443),
    claimed="chatgpt.com",
    sni="chatgpt.com",
    tls=True,
    method="POST",
    path="/backend-api/codex/responses",
    authorization="Bearer token-of-the-client",
    upgrade=False,
)
POOLED: list[tuple[Route, str, str, bool]] = [
    (Route.GENERATION, "POST", "/backend-api/codex/responses", False),
    (Route.GENERATION, "GET", "/backend-api/codex/responses", True),
    (Route.GENERATION, "POST", "/backend-api/codex/responses/compact", False),
    (Route.GENERATION, "POST", "/backend-api/codex/alpha/search", False),
    (Route.GENERATION, "POST", "/backend-api/codex/images/generations", False),
    (Route.GENERATION, "POST", "/backend-api/codex/images/edits", False),
    (Route.GENERATION, "POST", "/backend-api/codex/memories/trace_summarize", False),
    (Route.CATALOGUE, "GET", "/backend-api/codex/models", False),
]
PATHS = [(method, path, upgrade) for _, method, path, upgrade in POOLED]


def at(host: str, **changes: Any) -> Target:
    """The good request at another host, consistently."""
    return replace(GOOD, connected=(host, 443), claimed=host, sni=host, **changes)


@all_rows(("route", "method", "path", "upgrade"), POOLED)
def test_what_the_pool_serves(route: Route, method: str, path: str, upgrade: bool) -> None:
    target = replace(GOOD, method=method, path=path, upgrade=upgrade)
    assert route_of(target) is route
    assert route_of(replace(target, path=f"{path}?client_version=1.2.3&x=/../y")) is route
    assert route_of(replace(target, path=f"{path}?")) is route


def test_every_row_is_in_the_table_of_this_file() -> None:
    for row in ROUTES:
        assert any(row.method == method and row.path.fullmatch(path) for _, method, path, _ in POOLED), row


@pytest.mark.parametrize(("route", "pooled"), [(Route.GENERATION, True), (Route.CATALOGUE, True), (Route.OWN, False)])
def test_only_the_clients_own_is_not_pooled(route: Route, pooled: bool) -> None:
    assert route.pooled is pooled


@all_rows(
    "path",
    [
        "/",
        "",
        "*",
        "/backend-api",
        "/backend-api/codex",
        "/backend-api/codex/analytics-events/events",
        "/backend-api/codex/responses/resp_1",
        "/backend-api/codex/responses/resp_1/cancel",
        "/backend-api/codex/memories",
        "/backend-api/codex/images/",
        "/backend-api/codex/images/a/b",
        "/backend-api/wham/accounts/check",
        "/backend-api/wham/config/bundle",
        "/backend-api/wham/settings/user",
        "/backend-api/wham/usage",
        "/backend-api/ps/plugins",
        "/backend-api/files",
        "/backend-api/conversation",
        "/backend-api/me",
        "/oauth/token",
        "/v1/responses",
        "/responses",
        "/x/backend-api/codex/responses",
    ],
)
@all_rows("method", ["GET", "POST"])
@all_rows("upgrade", [False, True])
def test_every_other_path_is_the_clients_own(path: str, method: str, upgrade: bool) -> None:
    assert route_of(replace(GOOD, path=path, method=method, upgrade=upgrade)) is Route.OWN


def spellings(path: str) -> list[str]:
    """The same path to a careless reader, and another one to us."""
    *_, last = path.split("/")
    return [
        f"{path}/",
        f"/{path}",
        f"/.{path}",
        f"/x/..{path}",
        path.replace("/codex/", "/codex/./"),
        path.replace("/codex/", "/codex/../codex/"),
        path.replace("/codex/", "/codex//"),
        path.replace("/codex/", "/codex%2F"),
        path.replace("/codex/", "/codex%2f"),
        path.replace("/codex/", "\\codex\\"),
        path.replace("codex", "%63odex"),
        path.replace("codex", "Codex"),
        path.upper(),
        path.removesuffix(last) + last.capitalize(),
        path.removesuffix(last) + "%" + f"{ord(last[0]):02x}" + last[1:],
        path.removesuffix(last) + "%25" + f"{ord(last[0]):02x}" + last[1:],
        f"{path};",
        f"{path};x=1",
        path.replace("/codex/", "/codex;x/"),
        f"{path}%00",
        f"{path}%20",
        f"{path}%3Fx",
        f"{path}#x",
        f"{path} ",
        f" {path}",
        f"{path}\n",
        f"{path}\r\n",
        f"{path}/.",
        f"{path}/..",
        f"{path}/../responses",
        f"https://chatgpt.com{path}",
        path[1:],
        path[:-1],
        f"{path}.json",
        path.replace("backend-api", "backend-api\u200b"),
        path.replace("o", "\u043e"),  # a Cyrillic letter
    ]


@all_rows(("method", "path", "upgrade"), PATHS)
def test_another_spelling_of_a_path_is_the_clients_own(method: str, path: str, upgrade: bool) -> None:
    target = replace(GOOD, method=method, upgrade=upgrade)
    pooled = [p for p in spellings(path) if route_of(replace(target, path=p)) is not Route.OWN]
    # a shorter word behind `images/` or `memories/` is a word as well
    assert all(re.fullmatch(r"/backend-api/codex/(images/[a-z]+|memories/[a-z_]+)", p) for p in pooled), pooled
    assert pooled in ([], [path[:-1]])


MISFITS: dict[str, dict[str, Any]] = {
    "scheme": {"scheme": "http"},
    "scheme in capitals": {"scheme": "HTTPS"},
    "no scheme": {"scheme": ""},
    "port 80": {"connected": ("chatgpt.com", 80)},
    "port 8443": {"connected": ("chatgpt.com", 8443)},
    "connected elsewhere": {"connected": ("example.com", 443)},
    "connected to an address": {"connected": ("127.0.0.1", 443)},
    "connected in capitals": {"connected": ("ChatGPT.com", 443)},
    "connected with a dot": {"connected": ("chatgpt.com.", 443)},
    "another claim": {"claimed": "example.com"},
    "another of the provider's hosts claimed": {"claimed": "eu.chatgpt.com"},
    "no claim": {"claimed": ""},
    "claim in capitals": {"claimed": "CHATGPT.COM"},
    "claim with another port": {"claimed": "chatgpt.com:8443"},
    "claim with an empty port": {"claimed": "chatgpt.com:"},
    "claim with a user": {"claimed": "x@chatgpt.com"},
    "two claims": {"claimed": "chatgpt.com, chatgpt.com"},
    "another SNI": {"sni": "example.com"},
    "another of the provider's hosts as SNI": {"sni": "eu.chatgpt.com"},
    "empty SNI": {"sni": ""},
    "SNI in capitals": {"sni": "ChatGPT.com"},
    "no TLS": {"tls": False},
    "no credential": {"authorization": ""},
    "no token": {"authorization": "Bearer "},
    "no space": {"authorization": "Bearer"},
    "basic": {"authorization": "Basic dXNlcjpwYXNz"},
    "bearer in lower case": {"authorization": "bearer token"},
    "two spaces": {"authorization": "Bearer  token"},
    "a bearer behind something": {"authorization": "x Bearer token"},
    "an API key": {"authorization": "Bearer sk-proj-1"},
}


@all_rows(("method", "path", "upgrade"), PATHS)
@all_rows("changes", MISFITS.values(), ids=MISFITS)
def test_whatever_does_not_fit_is_the_clients_own(
    method: str, path: str, upgrade: bool, changes: dict[str, Any]
) -> None:
    good = replace(GOOD, method=method, path=path, upgrade=upgrade)
    assert route_of(good).pooled
    assert route_of(replace(good, **changes)) is Route.OWN


@pytest.mark.parametrize("changes", [{"claimed": "chatgpt.com:443"}, {"sni": None}])
def test_the_usual_port_may_be_said_and_the_sni_may_be_missing(changes: dict[str, Any]) -> None:
    assert route_of(replace(GOOD, **changes)) is Route.GENERATION


@all_rows("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "post", "Post", ""])
@all_rows("path", [path for _, path, _ in PATHS])
def test_another_method_is_the_clients_own(method: str, path: str) -> None:
    assert route_of(replace(GOOD, method=method, path=path, upgrade=True)) is Route.OWN


@all_rows(
    ("method", "path"),
    [("GET", "/backend-api/codex/responses"), ("POST", "/backend-api/codex/models")]
    + [("GET", path) for method, path, upgrade in PATHS if method == "POST" and not path.endswith("/responses")],
)
def test_a_path_goes_with_its_method(method: str, path: str) -> None:
    assert route_of(replace(GOOD, method=method, path=path)) is Route.OWN


@pytest.mark.parametrize("host", ["chatgpt.com", "eu.chatgpt.com", "us-1.chatgpt.com"])
def test_regional_hosts_of_the_provider_are_as_good(host: str) -> None:
    assert route_of(at(host)) is Route.GENERATION


FOREIGN = [
    "openai.com",
    "auth.openai.com",
    "api.openai.com",
    "evilchatgpt.com",
    "chatgpt.com.evil.com",
    "chatgpt.comx",
    "chatgpt.co",
    "chatgptxcom",
    "a.b.chatgpt.com",
    ".chatgpt.com",
    "a_b.chatgpt.com",
    "évil.chatgpt.com",
    "chatgpt.com\n",
    "127.0.0.1",
    "localhost",
    "",
]


@all_rows("host", FOREIGN)
def test_every_other_host_is_the_clients_own(host: str) -> None:
    assert route_of(at(host)) is Route.OWN


@all_rows("host", [*FOREIGN, "ab.chatgpt.com"])
def test_other_hosts_are_not_even_opened(host: str) -> None:
    """`re.search`, as mitmproxy does. A newline cannot be part of a host that was connected to."""
    assert "\n" in host or re.search(INTERCEPT, f"{host}:443", re.IGNORECASE) is None


@all_rows(
    ("address", "opened"),
    [
        ("chatgpt.com:443", True),
        ("eu.chatgpt.com:443", True),
        ("abc.chatgpt.com:443", True),
        ("chatgpt.com:8443", False),
        ("chatgpt.com:80", False),
        ("chatgpt.com:4433", False),
        ("chatgpt.com", False),
    ],
)
def test_what_is_opened(address: str, opened: bool) -> None:
    assert (re.search(INTERCEPT, address, re.IGNORECASE) is not None) == opened


@given(st.from_regex(PROVIDER_HOST, fullmatch=True).filter(lambda host: not host.startswith("ab.")))
@settings(deadline=None)
def test_every_host_that_is_served_is_opened(host: str) -> None:
    assert re.search(INTERCEPT, f"{host}:443")


def test_the_clients_token_is_not_shown() -> None:
    assert "token-of-the-client" not in repr(GOOD)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, bool]:
    """A good path with one character put in, taken out or replaced."""
    method, path, upgrade = draw(st.sampled_from(PATHS))
    place = draw(st.integers(0, len(path)))
    kept = draw(st.integers(0, 1))
    extra = draw(st.text(alphabet=string.printable + "é\x00", max_size=3))
    return method, path[:place] + extra + path[place + kept :], upgrade


@given(edits())
@settings(max_examples=4 * settings.default.max_examples)
def test_a_path_that_was_tampered_with_is_the_clients_own(edited: tuple[str, str, bool]) -> None:
    method, path, upgrade = edited
    assume("?" not in path)
    assume(not re.fullmatch(r"/backend-api/codex/(images/[a-z]+|memories/[a-z_]+)", path, re.ASCII))
    assume((method, path, upgrade) not in PATHS)
    assert route_of(replace(GOOD, method=method, path=path, upgrade=upgrade)) is Route.OWN
