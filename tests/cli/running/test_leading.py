"""Where clients are led follows the proxy that runs; which one, and what is said when none does."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from certs.environment import BadProxyAddress
from cli.running import leading, proxies
from cli.running.leading import OthersProxy
from config import proxy_files
from config.proxy_files import ProxyInfo
from standin import StandIn
from tests.cli.running.test_joined import answering
from tests.harness import Proxy, eventually, fill, options


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "rotate"


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {"CODEX_ROTATE_HOME": str(home)}


@pytest.fixture
def started(home: Path, tmp_path: Path, confdir: Path, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A real one, with the options of the test."""
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        with Proxy(upstream, home, confdir, options(**getattr(request, "param", {}))) as proxy:
            assert eventually(lambda: proxies.running({"CODEX_ROTATE_HOME": str(home)}), seconds=60)
            yield proxy


def test_the_one_that_runs(started: Proxy, environ: dict[str, str], confdir: Path) -> None:
    """With what its clients have to trust. An address that is named is that address."""
    found = leading.led(environ)
    assert (found.url, found.folder, found.answers, found.notes) == (started.url, confdir, True, ())
    assert leading.led(environ, stays=True) == found
    assert leading.led_to(started.url, environ) == found
    elsewhere = leading.led_to("http://127.0.0.1:9", environ)
    assert (elsewhere.url, elsewhere.answers, len(elsewhere.notes)) == ("http://127.0.0.1:9", False, 1)
    assert not leading.led(environ, everything=True).answers


@pytest.mark.parametrize("started", [{"rotate_stop_when_unused": 30}], indirect=True)
def test_one_that_ends_with_its_clients_is_said_to(started: Proxy, environ: dict[str, str]) -> None:
    """And nothing that lasts is led to it."""
    found = leading.led(environ)
    assert (found.url, found.answers) == (started.url, True)
    assert "ends with its clients" in found.notes[0]
    assert leading.led(environ, stays=True).url == "http://127.0.0.1:8118"


def test_the_proxy_of_another_pool_is_not_led_to(started: Proxy, tmp_path: Path) -> None:
    """Its certificate is not here. What is there to do is said."""
    with pytest.raises(OthersProxy, match="join FILE"):
        leading.led_to(started.url, {"CODEX_ROTATE_HOME": str(tmp_path / "other")})
    forced = leading.led_to(started.url, {"CODEX_ROTATE_HOME": str(tmp_path / "other")}, force=True)
    assert forced.folder == tmp_path / "other" / "ca"


def test_nor_is_one_that_does_not_serve_this_user(environ: dict[str, str]) -> None:
    """A company's proxy that wants a password is another matter."""
    refusal = {"proxy_authenticate": 'Basic realm="codex-rotate"'}
    with answering(407, **refusal) as port, pytest.raises(OthersProxy, match="does not serve you"):
        leading.led_to(f"http://127.0.0.1:{port}", environ)
    with answering(407, proxy_authenticate='Basic realm="corp"') as port:
        assert leading.led_to(f"http://127.0.0.1:{port}", environ).answers


def test_when_none_runs(environ: dict[str, str], home: Path) -> None:
    found = leading.led(environ)
    assert (found.url, found.folder, found.answers) == ("http://127.0.0.1:8118", home / "ca", False)
    assert "codex-rotate serve" in found.notes[0]
    assert "--intercept-all" in leading.led(environ, everything=True).notes[0]


@pytest.mark.parametrize(("kinds", "wanted"), [("ks", 1), ("sk", 0), ("es", 1), ("se", 0), ("k", 0), ("e", None)])
def test_of_several_the_newest_that_fits(environ: dict[str, str], home: Path, kinds: str, wanted: int | None) -> None:
    """One that stays before one that ends with its clients, and none that opens everything. `kinds` are newest last."""
    more = {"s": {}, "k": {"stays": False}, "e": {"everything": True}}
    with ExitStack() as stack:
        urls = []
        for number, kind in enumerate(kinds):
            body = bytearray()
            port = stack.enter_context(answering(200, body))
            urls.append(f"http://127.0.0.1:{port}")
            told = ProxyInfo(url=urls[-1], pid=number, home=str(home), certificate="/c", version="1", **more[kind])
            body += proxy_files.as_json(told).encode()
            proxy_files.announce(told, home / "proxies")
            (home / "proxies" / proxy_files.PROOF_KEY).unlink()  # as of a version that could not sign
        found = leading.led(environ)
    assert found.answers is (wanted is not None)
    assert found.url == (urls[wanted] if wanted is not None else "http://127.0.0.1:8118")


def test_a_key_goes_to_this_machine_only(environ: dict[str, str], home: Path) -> None:
    home.mkdir()
    (home / "client.key").write_text("secret")
    assert leading.led(environ).url == "http://-:secret@127.0.0.1:8118"
    assert leading.led_to("http://127.0.0.1:9", environ).url == "http://-:secret@127.0.0.1:9"
    assert leading.led_to("http://a:b@127.0.0.1:9", environ).url == "http://a:b@127.0.0.1:9"
    assert leading.led_to("http://pool.invalid:9", environ).url == "http://pool.invalid:9"


def test_an_address_that_is_none(environ: dict[str, str]) -> None:
    with pytest.raises(BadProxyAddress):
        leading.led_to("https://127.0.0.1:9", environ)
