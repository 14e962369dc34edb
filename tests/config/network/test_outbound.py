"""Through which proxy a request of our own leaves: the settings', the environment's, or none."""

import ssl
from collections.abc import Iterator

import httpx
import pytest

from config.network.outbound import OutboundRoute, is_here, trouble, way_to
from config.network.proxy_address import read_proxy
from config.settings import ConfigError
from standin import StandIn
from tests.corporate import Corporate, Trouble

TOKENS = "https://auth.openai.com/oauth/token"
SECRET = "s3cret-PASSWORD"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def named(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_nothing_is_set() -> None:
    assert way_to(TOKENS) == OutboundRoute()


def test_the_settings_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, HTTPS_PROXY="http://env.example:1")
    assert str(way_to(TOKENS).proxy) == "http://env.example:1"
    named(monkeypatch, CODEX_ROTATE_UPSTREAM_PROXY="http://corp.example:3128", NO_PROXY="*")
    way = way_to(TOKENS)
    assert (str(way.proxy), way.named_by) == ("http://corp.example:3128", "upstream_proxy")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "127.9.9.9"])
def test_this_machine_is_reached_directly_whatever_is_set(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    named(monkeypatch, HTTP_PROXY="http://env.example:1", CODEX_ROTATE_UPSTREAM_PROXY="http://corp.example:3128")
    assert way_to(f"http://{host}:9/oauth/token") == OutboundRoute()


@pytest.mark.parametrize("loopback", ["http://127.0.0.1:8118", "localhost:8118", "http://[::1]:8118"])
def test_a_proxy_of_the_environment_on_this_machine_may_be_ourselves(
    monkeypatch: pytest.MonkeyPatch, loopback: str
) -> None:
    named(monkeypatch, HTTPS_PROXY=loopback)
    assert way_to(TOKENS) == OutboundRoute(passed_over="HTTPS_PROXY")


def test_a_proxy_on_this_machine_that_the_settings_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, CODEX_ROTATE_UPSTREAM_PROXY="http://127.0.0.1:3128")
    assert str(way_to(TOKENS).proxy) == "http://127.0.0.1:3128"


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"ALL_PROXY": "http://all.example:1"}, "http://all.example:1"),
        ({"ALL_PROXY": "http://all.example:1", "https_proxy": "http://one.example:2"}, "http://one.example:2"),
        ({"ALL_PROXY": "socks5://all.example:1", "https_proxy": "http://one.example:2"}, "http://one.example:2"),
        ({"HTTP_PROXY": "http://plain.example:1"}, "None"),
        ({"HTTPS_PROXY": "one.example:2"}, "http://one.example:2"),
        ({"HTTPS_PROXY": "http://one.example"}, "http://one.example:80"),
        ({"HTTPS_PROXY": "http://one.example:2", "NO_PROXY": "x.y,.openai.com"}, "None"),
        ({"HTTPS_PROXY": "http://one.example:2", "NO_PROXY": "*"}, "None"),
        ({"HTTPS_PROXY": "http://one.example:2", "NO_PROXY": "chatgpt.com"}, "http://one.example:2"),
        ({"HTTPS_PROXY": ""}, "None"),
    ],
)
def test_the_environment_is_read_as_other_programs_read_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str
) -> None:
    named(monkeypatch, **variables)
    assert str(way_to(TOKENS).proxy) == proxy


@pytest.mark.parametrize(
    "value", [f"socks5://ann:{SECRET}@h:1", f"http://ann:{SECRET}@h:port", f"http://ann:{SECRET}@["]
)
def test_a_proxy_of_the_environment_that_cannot_be_used_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    named(monkeypatch, HTTPS_PROXY=value)
    with pytest.raises(ConfigError, match=r"^the environment: HTTPS_PROXY names a proxy .* Set upstream_proxy") as told:
        way_to(TOKENS)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("url", ["", "no address", "http://[", "https:///x"])
def test_an_address_that_is_none_is_left_to_who_sends(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    named(monkeypatch, HTTPS_PROXY="http://env.example:1")
    assert way_to(url) == OutboundRoute()


def test_what_is_here_and_what_is_not() -> None:
    """A name below localhost may be anybody's, and so may all addresses at once."""
    assert [is_here(host) for host in ("localhost", "Localhost.", "127.0.0.2", "::1")] == [True] * 4
    assert not [host for host in ("tool.localhost", "0.0.0.0", "10.0.0.1", "", "chatgpt.com") if is_here(host)]


# --- with a proxy that is really there -------------------------------------------------------------------------------


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as standin:
        monkeypatch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        yield standin


def through(corporate: Corporate, user: str = "", password: str = "") -> OutboundRoute:
    return OutboundRoute(proxy=read_proxy(corporate.url(user, password)), named_by="upstream_proxy")


def ask(way: OutboundRoute) -> int:
    with way.client(5) as client:
        return client.post(TOKENS, json={"grant_type": "refresh_token", "refresh_token": "x"}).status_code


def test_a_request_goes_through_the_tunnel_with_the_credentials_on_connect_only(upstream: StandIn) -> None:
    with Corporate({443: upstream.port}, "ann", "p@ss ö") as corporate:
        assert ask(through(corporate, "ann", "p%40ss%20%C3%B6")) == 401
    assert [(each.method, each.target, each.status) for each in corporate.asked] == [
        ("CONNECT", "auth.openai.com:443", 200)
    ]
    (seen,) = upstream.requests
    assert seen.header("proxy-authorization") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_past_a_proxy_that_is_there(
    upstream: StandIn, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """As the settings and the environment name it."""
    with Corporate({443: upstream.port, 80: upstream.plain_port}) as corporate:
        named(monkeypatch, HTTP_PROXY=corporate.url(), ALL_PROXY=corporate.url())
        for setting in ("", corporate.url()):
            monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", setting)
            url = f"http://{host}:{upstream.plain_port}/oauth/token"
            with way_to(url).client(5) as client:
                assert client.post(url, json={"grant_type": "refresh_token", "refresh_token": "x"}).status_code == 401
    assert corporate.asked == ()
    assert len(upstream.requests) == 2


def test_a_proxy_that_speaks_https(upstream: StandIn) -> None:
    """Its certificate is verified with the same trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(upstream.ca_file.parent / "leaf.pem")
    with Corporate({443: upstream.port}, "ann", "pw", tls=context) as corporate:
        assert ask(through(corporate, "ann", "pw")) == 401
    assert corporate.targets() == ["auth.openai.com:443"]


def test_an_environment_that_names_another_proxy_is_not_asked_a_second_time(
    upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided is what happens: httpx does not look for itself."""
    named(monkeypatch, HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY="auth.openai.com")
    with Corporate({443: upstream.port}) as corporate:
        assert ask(through(corporate)) == 401
    assert len(corporate.asked) == 1


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (None, 407, "the proxy {place} wants another user name or password (407), correct upstream_proxy"),
        (
            Trouble.REFUSE,
            403,
            "the proxy {place} refused the connection (403), check upstream_proxy or ask who runs it",
        ),
        (
            Trouble.REFUSE,
            503,
            "the proxy {place} refused the connection (503), check upstream_proxy or ask who runs it",
        ),
        (Trouble.CLOSE, 0, "RemoteProtocolError on the way through the proxy {place}, check upstream_proxy"),
        (Trouble.HANG, 0, "ReadTimeout on the way through the proxy {place}, check upstream_proxy"),
    ],
)
def test_a_proxy_that_lets_nobody_through_is_told_as_such(
    upstream: StandIn, trouble: Trouble | None, status: int, said: str
) -> None:
    with Corporate({443: upstream.port}, "ann", "right") as corporate:
        corporate.trouble, corporate.refuse_with = trouble, status
        way = through(corporate, "ann", "right" if trouble else SECRET)
        with pytest.raises(httpx.HTTPError) as lost, way.client(0.5) as client:
            client.get(TOKENS)
    assert way.failure(lost.value) == said.format(place=f"127.0.0.1:{corporate.port}")
    assert upstream.requests == ()


def test_a_proxy_that_is_not_there() -> None:
    way = OutboundRoute(proxy=read_proxy(f"http://ann:{SECRET}@127.0.0.1:1"), named_by="HTTPS_PROXY")
    with pytest.raises(httpx.ConnectError) as lost, way.client(5) as client:
        client.get(TOKENS)
    assert way.failure(lost.value) == "ConnectError on the way through the proxy 127.0.0.1:1, check HTTPS_PROXY"


def test_a_proxy_that_was_passed_over_is_mentioned_when_the_direct_way_fails() -> None:
    said = OutboundRoute(passed_over="HTTPS_PROXY").failure(httpx.ConnectError("x"))
    assert said == "ConnectError (HTTPS_PROXY is on this machine and not used; if it leads out, set upstream_proxy)"
    assert OutboundRoute().failure(httpx.ConnectError("x")) == "ConnectError"


def test_a_certificate_that_nobody_here_vouches_for_is_told_as_that(
    upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is met directly or behind a proxy, and without a word of the request."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(httpx.ConnectError) as lost, httpx.Client(trust_env=False) as client:
        client.get(f"https://127.0.0.1:{upstream.port}/{SECRET}")
    said, why = OutboundRoute().failure(lost.value), "unable to get local issuer certificate, if your company opens TLS"
    assert said.startswith(f"TLS failed: {why}, set SSL_CERT_FILE")
    assert SECRET not in said
    with Corporate({443: upstream.port}) as corporate:
        way = OutboundRoute(proxy=read_proxy(corporate.url()), named_by="upstream_proxy")
        with pytest.raises(httpx.ConnectError) as lost, way.client(5) as client:
            client.get(TOKENS)
        assert way.failure(lost.value).startswith(f"TLS failed behind the proxy 127.0.0.1:{corporate.port}: {why}")


@pytest.mark.parametrize("reason", ["certificate has expired", "certificate is not yet valid"])
def test_a_certificate_of_another_time_is_a_matter_of_the_clock(reason: str) -> None:
    refused = ssl.SSLCertVerificationError(1, "x")
    refused.verify_message = reason
    error = httpx.ConnectError("x")
    error.__cause__ = refused
    assert OutboundRoute().failure(error) == f"TLS failed: {reason}, check this machine's clock"


def test_a_certificate_that_mitmproxy_refuses_behind_a_proxy() -> None:
    """It is not the address of the proxy that has to be checked."""
    said = trouble("proxy.test:3128", "Certificate verify failed: self-signed certificate")
    assert said.startswith("Certificate verify failed: self-signed certificate behind the proxy proxy.test:3128; ")
    assert "ssl_verify_upstream_trusted_ca" in said


async def test_what_is_sent_without_a_client_takes_the_same_way(upstream: StandIn) -> None:
    """A client would write the address into its log."""
    with Corporate({443: upstream.port}, "ann", SECRET) as corporate:
        waits = {"timeout": httpx.Timeout(5).as_dict()}
        async with through(corporate, "ann", SECRET).async_transport() as transport:
            answer = await transport.handle_async_request(httpx.Request("POST", TOKENS, json={}, extensions=waits))
            await answer.aclose()
    assert 400 <= answer.status_code < 500
    assert [(each.target, each.status) for each in corporate.asked] == [("auth.openai.com:443", 200)]
    (seen,) = upstream.requests
    assert seen.header("proxy-authorization") is None
