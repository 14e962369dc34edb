"""Behind a company's proxy: everything goes through it, its password goes nowhere else, and its faults are its own.

The stand-in is reached through the company's proxy only; nothing else leads from chatgpt.com to it here.
"""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from accounts.store.store import Store
from standin import FaultKind, StandIn
from tests.corporate import Corporate, Trouble
from tests.harness import PATIENCE, REDIRECT, START_SECONDS, Proxy, eventually, options, put
from tests.proxy.clients import ASK, CHATGPT, RESPONSES, Got, Http2, Socket, http1, secure, tunnel, turn1
from tests.proxy.conftest import LOADED, Bench

ONE_HTTP = True

USER: Final = "ann"
PASSWORD: Final = "s3cret pässwörd/@:"
ENCODED: Final = "s3cret%20p%C3%A4ssw%C3%B6rd%2F%40%3A"
BASIC: Final = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
VERSIONS: Final = ("h1", "h2", "ws")


class Behind(Proxy):
    """The proxy without the script that leads it to the stand-in."""

    def command(self) -> list[str]:
        command = super().command()
        at = command.index(str(REDIRECT))
        return command[: at - 1] + command[at + 1 :]


@contextmanager
def started(
    folder: Path, confdir: Path, upstream: StandIn, setting: str, *flags: str, **more: str
) -> Iterator[tuple[Behind, Store]]:
    """The proxy with `upstream_proxy` in its config.toml, and one account."""
    home = folder / "rotate"
    home.mkdir(mode=0o700, parents=True)
    (home / "config.toml").write_text(f'upstream_proxy = "{setting}"\n', encoding="utf-8")
    env = {"SSL_CERT_FILE": str(upstream.ca_file), **more}
    settings = options(rotate_head_timeout=1)
    with Store(home / "pool.db") as store:
        put(store, upstream.add_account("acc-0"), folder, 0)
        with Behind(upstream, home, confdir, [*settings, *flags], env=env) as proxy:
            yield proxy, store


BOTH_UPSTREAMS = pytest.mark.parametrize(
    "place", [True, False], ids=["h2-upstream", "h1-upstream"], indirect=True, scope="module"
)


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[tuple[Bench, Corporate]]:
    folder = tmp_path_factory.mktemp("behind")
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn(http2=getattr(request, "param", True)))
        hosts = {443: upstream.port, 80: upstream.plain_port}
        corporate = stack.enter_context(Corporate(hosts, USER, PASSWORD))
        own = upstream.add_account("acc-own")
        setting = corporate.url(USER, ENCODED)
        # the token endpoint by its real name: reached through the company's proxy as well
        proxy, store = stack.enter_context(
            started(folder, confdir, upstream, setting, CODEX_REFRESH_TOKEN_URL_OVERRIDE="")
        )
        proxy.output.wait_for(LOADED, seconds=START_SECONDS)
        with closing(Bench(upstream, proxy, store, own, folder)) as bench:
            yield bench, corporate


@pytest.fixture
def corporate(place: tuple[Bench, Corporate]) -> Corporate:
    place[1].trouble = None
    return place[1]


@pytest.fixture
def bench(place: tuple[Bench, Corporate], corporate: Corporate) -> Bench:
    place[0].start_test()
    return place[0]


def turn(bench: Bench, version: str) -> Got:
    if version == "h1":
        with http1(bench.proxy) as client:
            return turn1(client, bench.headers())
    if version == "h2":
        with Http2(bench.proxy) as client:
            return client.turn(bench.headers())
    with Socket(bench.proxy, bench.headers()) as client:
        return client.turn() if client.upgrade.status == 101 else client.upgrade


@BOTH_UPSTREAMS
@pytest.mark.parametrize("version", VERSIONS)
def test_a_turn_goes_through_the_company_s_proxy(bench: Bench, corporate: Corporate, version: str):
    before = len(corporate.asked)
    assert turn(bench, version).text == bench.first.answer
    assert [(each.target, each.status) for each in corporate.asked[before:]] == [(f"{CHATGPT}:443", 200)]
    (seen,) = bench.seen()
    assert seen.header("proxy-authorization") is None
    assert bench.served_by() == ["first"]


@BOTH_UPSTREAMS
@pytest.mark.parametrize("version", VERSIONS)
def test_the_next_account_gets_a_tunnel_of_its_own(bench: Bench, corporate: Corporate, version: str):
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    before = len(corporate.asked)
    assert turn(bench, version).text == bench.second.answer
    assert bench.served_by() == ["first", "second"]
    assert corporate.targets()[before:] == [f"{CHATGPT}:443"] * 2


@BOTH_UPSTREAMS
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.HANG, FaultKind.EMPTY])
@pytest.mark.parametrize("version", ["h1", "h2"])
def test_an_attempt_that_comes_to_nothing_is_followed_by_another(bench: Bench, version: str, kind: FaultKind):
    bench.fault(bench.first, kind)
    assert turn(bench, version).text == bench.second.answer


@BOTH_UPSTREAMS
def test_requests_of_one_client_share_the_tunnel_of_their_account(bench: Bench, corporate: Corporate):
    before = len(corporate.asked)
    with http1(bench.proxy) as client:
        for _ in range(3):
            assert turn1(client, bench.headers()).completed
    assert len(corporate.asked) - before == 1


def test_a_socket_whose_account_was_paused_gets_another_one_behind_it(bench: Bench, corporate: Corporate):
    """Through the other proxy, like the first; although two tunnels lie around the client's."""
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        before = len(corporate.asked)
        bench.store.update_account(bench.keys[bench.first.account_id], enabled=False).result()
        assert client.turn().text == bench.second.answer
    assert len(corporate.asked) - before == 1


def test_what_we_say_into_a_socket_finds_its_way(bench: Bench):
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        assert client.turn(previous_response_id="resp_of_another_socket").error["code"] == "previous_response_not_found"


def test_an_account_of_another_region_is_reached_at_its_own_origin(bench: Bench, corporate: Corporate):
    key = bench.keys[bench.first.account_id]
    bench.store.update_account(key, backend_origin="https://eu.chatgpt.com").result()
    assert turn(bench, "h1").completed
    assert corporate.targets()[-1] == "eu.chatgpt.com:443"


def test_other_hosts_are_tunnelled_untouched_through_it(bench: Bench, corporate: Corporate):
    trust = ssl.create_default_context(cafile=str(bench.upstream.ca_file))
    with httpx.Client(proxy=bench.proxy.url, verify=trust, trust_env=False, timeout=PATIENCE) as client:
        client.post(f"https://api.openai.com{RESPONSES}", headers=bench.headers(), content=ASK)
    assert corporate.targets()[-1] == "api.openai.com:443"
    assert [seen.host for seen in bench.seen()] == ["api.openai.com"]
    assert bench.seen()[0].header("proxy-authorization") is None


def test_plain_http_is_handed_to_it_in_full(bench: Bench, corporate: Corporate):
    with httpx.Client(proxy=bench.proxy.url, trust_env=False, timeout=PATIENCE) as client:
        client.get("http://chatgpt.com/backend-api/wham/usage", headers=bench.headers())
    asked = corporate.asked[-1]
    assert (asked.method, asked.target, asked.status) == ("GET", "http://chatgpt.com/backend-api/wham/usage", 200)
    assert bench.seen()[0].authorization == bench.headers()["authorization"]


def test_plain_http_inside_a_tunnel_takes_no_password_to_the_other_end(bench: Bench, corporate: Corporate):
    with tunnel(bench.proxy, CHATGPT, 80) as raw:
        raw.sendall(b"GET /backend-api/wham/usage HTTP/1.1\r\nhost: chatgpt.com\r\nconnection: close\r\n\r\n")
        while raw.recv(65536):
            pass
    assert corporate.targets()[-1] == f"{CHATGPT}:80"
    assert bench.seen()[0].header("proxy-authorization") is None


def test_https_asked_for_without_a_tunnel_takes_no_password_to_the_other_end(bench: Bench):
    with socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE) as raw:
        raw.sendall(b"GET https://chatgpt.com/backend-api/wham/usage HTTP/1.1\r\nhost: chatgpt.com\r\n")
        raw.sendall(b"connection: close\r\n\r\n")
        while raw.recv(65536):
            pass
    assert [seen.header("proxy-authorization") for seen in bench.seen()] == [None]


def test_a_token_is_renewed_through_it(bench: Bench, corporate: Corporate):
    bench.first.expire()
    assert turn(bench, "h1").text == bench.first.answer
    assert "auth.openai.com:443" in corporate.targets()
    assert bench.happened(bench.first, "refreshed")


# --- what is on this machine -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_http_on_this_machine_is_never_led_through_it(bench: Bench, corporate: Corporate, host: str):
    """A tool's own server, say: over there that address is another machine's, or nobody's."""
    before = len(corporate.asked)
    with httpx.Client(proxy=bench.proxy.url, trust_env=False, timeout=PATIENCE) as client:
        for _ in range(2):
            url = f"http://{host}:{bench.upstream.plain_port}/backend-api/wham/usage"
            assert client.get(url, headers=bench.headers()).status_code == 200
    assert corporate.asked[before:] == ()
    assert [seen.header("proxy-authorization") for seen in bench.seen()] == [None, None]


def test_a_connection_asks_here_and_there(bench: Bench, corporate: Corporate):
    """What is on this machine changes nothing for what is not, on the same connection of the client."""
    here = f"http://127.0.0.1:{bench.upstream.plain_port}/backend-api/wham/usage"
    there = "http://chatgpt.com/backend-api/wham/usage"
    before = len(corporate.asked)
    with httpx.Client(proxy=bench.proxy.url, trust_env=False, timeout=PATIENCE) as client:
        for url in (here, there, here):
            assert client.get(url, headers=bench.headers()).status_code == 200
    assert [each.target for each in corporate.asked[before:]] == [there]
    assert len(bench.seen()) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_tunnel_to_this_machine_is_never_led_through_it(bench: Bench, corporate: Corporate, host: str):
    """With plain http inside, and with TLS that nobody opens."""
    before = len(corporate.asked)
    with tunnel(bench.proxy, host, bench.upstream.plain_port) as raw:
        raw.sendall(b"GET /backend-api/wham/usage HTTP/1.1\r\nhost: tool.test\r\nconnection: close\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 ")
    trust = ssl.create_default_context(cafile=str(bench.upstream.ca_file))
    with secure(tunnel(bench.proxy, host, bench.upstream.port), trust, "api.openai.com") as inner:
        assert inner.version()
    assert corporate.asked[before:] == ()


def test_nothing_on_this_machine_is_told_as_this_machine_s(bench: Bench, corporate: Corporate):
    """And not blamed on the company's proxy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with httpx.Client(proxy=bench.proxy.url, trust_env=False, timeout=PATIENCE) as client:
        answer = client.get(f"http://127.0.0.1:{port}/")
    assert answer.status_code == 502
    assert "upstream_proxy" not in answer.text


# --- its bad days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (Trouble.REFUSE, 407, "wants another user name or password (407), correct upstream_proxy"),
        (Trouble.REFUSE, 403, "refused the connection (403), check upstream_proxy"),
        (Trouble.REFUSE, 502, "refused the connection (502), check upstream_proxy"),
        (Trouble.REFUSE, 503, "refused the connection (503), check upstream_proxy"),
        (Trouble.CLOSE, 0, "connection closed on the way through the proxy"),
        (Trouble.HANG, 0, "no connection within 1 s on the way through the proxy"),
    ],
)
def test_a_proxy_that_lets_nobody_through_is_blamed_and_no_account(
    bench: Bench, corporate: Corporate, version: str, trouble: Trouble, status: int, said: str
):
    corporate.trouble, corporate.refuse_with = trouble, status
    answer = turn(bench, version)
    assert answer.status == 502
    assert said in answer.error["message"]
    assert f"the proxy 127.0.0.1:{corporate.port}" in answer.error["message"]
    assert bench.proxy.output.wait_for(said.replace("(", r"\(").replace(")", r"\)"))
    assert {seat.standing for seat in bench.store.accounts()} == {"good"}
    assert bench.seen() == ()
    assert bench.unpunished()
    assert eventually(lambda: [len(each["attempts"]) for each in bench.decisions()] == [1])
    corporate.trouble = None
    assert turn(bench, version).completed


@pytest.mark.parametrize("trouble", [Trouble.REFUSE, Trouble.CLOSE])
def test_a_request_of_the_client_s_own_is_told_the_same(bench: Bench, corporate: Corporate, trouble: Trouble):
    corporate.trouble = trouble
    with http1(bench.proxy) as client:
        answer = client.get("/backend-api/wham/usage", headers=bench.headers())
    assert answer.status_code == 502
    assert f"the proxy 127.0.0.1:{corporate.port}" in answer.text


def test_a_refused_tunnel_does_not_cost_a_refresh_token(bench: Bench, corporate: Corporate):
    """The token has not left: it is as good as before."""
    bench.first.expire()
    token = bench.first.refresh_token
    corporate.trouble = Trouble.REFUSE
    assert turn(bench, "h1").status == 502
    assert bench.first.refresh_token == token
    assert {seat.standing for seat in bench.store.accounts()} == {"good"}
    corporate.trouble = None
    assert turn(bench, "h1").completed
    assert "fresh" in " ".join(event.kind for event in bench.events())


# --- started otherwise -----------------------------------------------------------------------------------------------


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def headers(upstream: StandIn) -> dict[str, str]:
    own = upstream.add_account("acc-own")
    return {"authorization": f"Bearer {own.access_token}", "chatgpt-account-id": own.account_id}


def test_the_password_is_in_nothing_that_is_shown_or_saved(tmp_path: Path, confdir: Path, upstream: StandIn):
    """Flows, the log at its most talkative, mitmproxy's options, the command line."""
    flows, shown = tmp_path / "flows", tmp_path / "options"
    (script := tmp_path / "options.py").write_text(
        "from mitmproxy import ctx\n"
        f"def done():\n    open({str(shown)!r}, 'w').write(repr({{k: o.current() for k, o in ctx.options.items()}}))\n"
    )
    hosts = {443: upstream.port, 80: upstream.plain_port}
    with Corporate(hosts, USER, PASSWORD) as corporate:
        flags = ("-v", "-w", str(flows), "-s", str(script), *options(flow_detail=4))
        with started(tmp_path, confdir, upstream, corporate.url(USER, ENCODED), *flags) as (proxy, _):
            proxy.output.wait_for(LOADED, seconds=START_SECONDS)
            own = headers(upstream)
            with http1(proxy) as client:
                assert turn1(client, own).completed
                client.get("http://chatgpt.com/backend-api/wham/usage")
                corporate.trouble = Trouble.REFUSE
                client.get("http://chatgpt.com/backend-api/wham/usage")
            with http1(proxy) as client:
                assert turn1(client, own).status == 502
            arguments = " ".join(proxy.command())
            said = proxy.stop()
        assert {each.headers["proxy-authorization"] for each in corporate.asked} == {f"Basic {BASIC}"}
        (store_files,) = [b"".join(each.read_bytes() for each in (tmp_path / "rotate").glob("pool.db*"))]
    everything = [flows.read_bytes(), shown.read_bytes(), said.encode(), arguments.encode(), store_files]
    for secret in (PASSWORD, ENCODED, BASIC, repr(PASSWORD)[1:-1]):
        assert [secret.encode() in each for each in everything] == [False] * len(everything)
    assert b"wham/usage" in flows.read_bytes()
    assert b"mode" in shown.read_bytes()
    assert f"everything goes through the proxy 127.0.0.1:{corporate.port}" in said
    assert said.count("proxy listening at") == 1


def test_wrong_credentials_are_told(tmp_path: Path, confdir: Path, upstream: StandIn):
    with (
        Corporate({443: upstream.port}, USER, PASSWORD) as corporate,
        started(tmp_path, confdir, upstream, corporate.url(USER, "s3cret-wrong")) as (proxy, _),
    ):
        proxy.output.wait_for(LOADED, seconds=START_SECONDS)
        with http1(proxy) as client:
            answer = turn1(client, headers(upstream))
        assert answer.error["message"].endswith("(407), correct upstream_proxy")
        assert "s3cret" not in proxy.stop()


def test_a_proxy_that_is_not_there_is_told(tmp_path: Path, confdir: Path, upstream: StandIn):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with started(tmp_path, confdir, upstream, f"http://127.0.0.1:{port}") as (proxy, _):
        proxy.output.wait_for(LOADED, seconds=START_SECONDS)
        with http1(proxy) as client:
            answer = turn1(client, headers(upstream))
    assert (answer.status, upstream.requests) == (502, ())
    assert f"on the way through the proxy 127.0.0.1:{port}, check upstream_proxy" in answer.error["message"]


def test_an_https_proxy(tmp_path: Path, confdir: Path, upstream: StandIn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(upstream.ca_file.parent / "leaf.pem")
    with (
        Corporate({443: upstream.port}, USER, PASSWORD, tls=context) as corporate,
        started(tmp_path, confdir, upstream, corporate.url(USER, ENCODED)) as (proxy, _),
    ):
        proxy.output.wait_for(LOADED, seconds=START_SECONDS)
        with http1(proxy) as client:
            assert turn1(client, headers(upstream)).completed
        trust = ssl.create_default_context(cafile=str(upstream.ca_file))
        with secure(tunnel(proxy, "api.openai.com"), trust, "api.openai.com"):
            pass
    assert corporate.targets() == [f"{CHATGPT}:443", "api.openai.com:443"]


def test_the_same_proxy_as_mitmproxy_s_own_mode_is_no_conflict(tmp_path: Path, confdir: Path, upstream: StandIn):
    with Corporate({443: upstream.port}, USER, PASSWORD) as corporate:
        mode = ("--mode", f"upstream:{corporate.url()}")
        with started(tmp_path, confdir, upstream, corporate.url(USER, ENCODED), *mode) as (proxy, _):
            proxy.output.wait_for(LOADED, seconds=START_SECONDS)
            port = proxy.output.wait_for(r"\(upstream mode\) listening at 127\.0\.0\.1:(\d+)")[1]
            trust = proxy.confdir / "mitmproxy-ca-cert.pem"
            context = ssl.create_default_context(cafile=str(trust))
            client = httpx.Client(proxy=f"http://127.0.0.1:{port}", verify=context, base_url=f"https://{CHATGPT}")
            with client:
                assert turn1(client, headers(upstream)).completed
        assert corporate.targets() == [f"{CHATGPT}:443"]


@pytest.mark.parametrize("mode", ["socks5", "reverse:https://chatgpt.com", "upstream:http://127.0.0.1:1"])
def test_another_mode_is_a_conflict_and_nothing_starts(tmp_path: Path, confdir: Path, upstream: StandIn, mode: str):
    with started(tmp_path, confdir, upstream, "http://ann:s3cret@127.0.0.1:2", "--mode", mode) as (proxy, _):
        proxy.output.wait_for(r"does not lead through upstream_proxy \(127.0.0.1:2\). Start it without --mode", 20)
        assert proxy.process.wait(PATIENCE) == 1
        assert "s3cret" not in proxy.stop()


def test_its_own_address_is_refused(tmp_path: Path, confdir: Path, upstream: StandIn):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    with started(tmp_path, confdir, upstream, f"http://localhost:{port}", "--listen-port", port) as (proxy, _):
        proxy.output.wait_for("where this proxy itself listens", 20)
        assert proxy.process.wait(PATIENCE) == 1


def test_a_setting_that_cannot_be_used_stops_the_start(tmp_path: Path, confdir: Path, upstream: StandIn):
    with started(tmp_path, confdir, upstream, "http://ann:s3cret/1@127.0.0.1:2") as (proxy, _):
        proxy.output.wait_for(r"codex-rotate: .*config.toml: upstream_proxy: must be an address such as", 20)
        assert proxy.process.wait(PATIENCE) == 1
        assert "s3cret" not in proxy.stop()
